import pickle
import subprocess
import sys
from dataclasses import replace

import cv2
import joblib
import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.efficientnet_lite import read_efficientnet_lite
from video_recommender.networks.litert_classifier import LiteRTClassifier, compile_for_cpu, write_for_cpu
from video_recommender.networks.pretrained import KerasModel, Network


def test_compiled_network_agrees_with_keras(classifier: LiteRTClassifier, lite0: KerasModel, photos: Frames) -> None:
    compiled = classifier.probabilities(photos)

    assert compiled.shape == (3, 1000)
    assert compiled.dtype == np.float32
    np.testing.assert_allclose(compiled, np.asarray(lite0(photos)), atol=1e-3)


def test_compiling_again_gives_the_same_classifier(classifier: LiteRTClassifier, lite0: KerasModel) -> None:
    again = compile_for_cpu(lite0, "efficientnet-lite0")

    assert again.fingerprint == classifier.fingerprint
    np.testing.assert_array_equal(again.flatbuffer, classifier.flatbuffer)


def test_a_network_that_is_written_without_tensorflow_sees_what_a_compiled_one_sees(
    classifier: LiteRTClassifier, photos: Frames
) -> None:
    written = write_for_cpu(read_efficientnet_lite("efficientnet-lite0"))

    seen, compiled = written.describe(photos), classifier.describe(photos)

    assert (written.class_names, written.input_size) == (classifier.class_names, classifier.input_size)
    assert written.fingerprint != classifier.fingerprint
    np.testing.assert_allclose(seen.probabilities, compiled.probabilities, atol=1e-5)
    np.testing.assert_allclose(seen.embeddings, compiled.embeddings, atol=1e-4)


def test_the_larger_network_is_written_for_larger_pictures_and_sees_what_keras_sees(photos: Frames) -> None:
    lite2 = read_efficientnet_lite("efficientnet-lite2")
    larger = np.stack([cv2.resize(photo, (260, 260)) for photo in photos])

    written = write_for_cpu(lite2)

    assert written.input_size == (260, 260)
    np.testing.assert_allclose(written.probabilities(larger), np.asarray(lite2.build()(larger)), atol=1e-3)


def test_a_network_is_written_with_the_same_bytes_each_time() -> None:
    first, second = (write_for_cpu(read_efficientnet_lite("efficientnet-lite0")) for _ in range(2))

    assert first == second
    np.testing.assert_array_equal(first.flatbuffer, second.flatbuffer)


@pytest.mark.parametrize("network", ["efficientnet-lite0", "efficientnet-lite2"])
def test_how_many_frames_are_read_at_a_time_makes_no_difference(photos: Frames, network: Network) -> None:
    by_twos = write_for_cpu(read_efficientnet_lite(network))
    one_by_one = replace(by_twos, frames_per_call=1)
    assert (by_twos.frames_per_call, len(photos)) == (2, 3)

    first, second, alone = by_twos.describe(photos), by_twos.describe(photos), one_by_one.describe(photos)

    for seen in (first, second):  # the second finds the network as the first has left it, ready for one
        np.testing.assert_array_equal(seen.probabilities, alone.probabilities)
        np.testing.assert_array_equal(seen.embeddings, alone.embeddings)


def test_other_weights_give_another_fingerprint() -> None:
    import keras

    def tiny(bias: float) -> KerasModel:
        pictures = keras.Input((2, 2, 3))
        flat = keras.layers.Flatten()(pictures)
        layer = keras.layers.Dense(2, activation="softmax", bias_initializer=keras.initializers.Constant(bias))
        network = keras.Model(pictures, layer(flat))
        layer.kernel.assign(np.ones((12, 2)))
        return network

    first, second = (compile_for_cpu(tiny(bias), "tiny", ("cat", "dog")) for bias in (0.0, 1.0))

    assert first.fingerprint != second.fingerprint


def test_classifier_survives_pickling(classifier: LiteRTClassifier, photos: Frames) -> None:
    restored = pickle.loads(pickle.dumps(classifier))

    assert restored == classifier
    np.testing.assert_array_equal(restored.probabilities(photos), classifier.probabilities(photos))


def test_worker_processes_share_one_copy_of_the_network(classifier: LiteRTClassifier, photos: Frames) -> None:
    def in_a_worker(sent: LiteRTClassifier) -> tuple[bool, np.ndarray]:
        return isinstance(sent.flatbuffer, np.memmap), sent.probabilities(photos)

    ((is_shared, probabilities),) = joblib.Parallel(n_jobs=2)([joblib.delayed(in_a_worker)(classifier)])

    assert is_shared
    np.testing.assert_allclose(probabilities, classifier.probabilities(photos), atol=1e-5)


def test_frames_of_another_size_are_resized(classifier: LiteRTClassifier, photos: Frames) -> None:
    larger = np.stack([cv2.resize(photo, (448, 448)) for photo in photos])

    np.testing.assert_array_equal(
        classifier.probabilities(larger).argmax(axis=1), classifier.probabilities(photos).argmax(axis=1)
    )


def test_number_of_names_must_be_the_number_of_outputs(lite0: KerasModel) -> None:
    with pytest.raises(ValueError, match="tells 1000 classes apart, but 2 names were given"):
        compile_for_cpu(lite0, "efficientnet-lite0", ("cat", "dog"))


def test_neither_preparing_a_network_nor_naming_objects_with_it_needs_tensorflow() -> None:
    program = (
        "import sys, numpy as np\n"
        "from video_recommender.networks.pretrained import DetectionOptions\n"
        "from video_recommender.pipelines.detection.nodes import prepare_object_classifier\n"
        "classifier, _ = prepare_object_classifier(DetectionOptions())\n"
        "classifier.probabilities(np.zeros((1, 224, 224, 3), np.uint8))\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )

    worker = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert worker.stdout.split() == [b"False"]
    assert worker.stderr == b""
