import os

import numpy as np
import pytest

from video_recommender.networks.conversion import convert_pretrained, run_in_subprocess
from video_recommender.networks.frame_classifier import LiteRTClassifier
from video_recommender.networks.pretrained import KerasModel, last_layer_weights


def test_a_function_runs_in_another_process_and_its_exception_is_raised_here() -> None:
    assert run_in_subprocess(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        run_in_subprocess(int, "many")


def test_a_process_that_is_killed_is_reported_with_a_likely_cause() -> None:
    with pytest.raises(RuntimeError, match="that runs _exit ended unexpectedly: check that 1 GB of memory is free"):
        run_in_subprocess(os._exit, 9)


def test_a_subprocess_converts_the_same_network_as_this_process(
    classifier: LiteRTClassifier, lite0: KerasModel, capfd: pytest.CaptureFixture[str]
) -> None:
    converted, class_weights = run_in_subprocess(convert_pretrained, "efficientnet-lite0")

    assert converted == classifier
    assert converted.class_names == classifier.class_names
    np.testing.assert_array_equal(converted.flatbuffer, classifier.flatbuffer)
    np.testing.assert_array_equal(class_weights, last_layer_weights(lite0)[0].T)
    assert capfd.readouterr().err == ""


def test_a_network_that_does_not_exist_is_reported_from_the_subprocess() -> None:
    with pytest.raises(ValueError, match="no network 'efficientnet-lite9': select efficientnet-lite0"):
        run_in_subprocess(convert_pretrained, "efficientnet-lite9")
