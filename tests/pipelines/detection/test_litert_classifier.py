import pickle
import subprocess
import sys

import cv2
import joblib
import numpy as np
import pytest

from video_recommender.frame_folder import Frames
from video_recommender.pipelines.detection.litert_classifier import LiteRTClassifier, compile_for_cpu
from video_recommender.pipelines.detection.network import KerasModel


def test_compiled_network_agrees_with_keras(classifier: LiteRTClassifier, lite0: KerasModel, photos: Frames) -> None:
    compiled = classifier.probabilities(photos)

    assert compiled.shape == (3, 1000)
    assert compiled.dtype == np.float32
    np.testing.assert_allclose(compiled, np.asarray(lite0(photos)), atol=1e-3)


def test_compiling_again_gives_the_same_classifier(classifier: LiteRTClassifier, lite0: KerasModel) -> None:
    again = compile_for_cpu(lite0, "efficientnet-lite0")

    assert again.fingerprint == classifier.fingerprint
    np.testing.assert_array_equal(again.flatbuffer, classifier.flatbuffer)


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


def test_naming_objects_needs_no_tensorflow(classifier: LiteRTClassifier) -> None:
    program = (
        "import pickle, sys, numpy as np\n"
        "classifier = pickle.load(sys.stdin.buffer)\n"
        "classifier.probabilities(np.zeros((1, 224, 224, 3), np.uint8))\n"
        "import video_recommender.pipelines.detection.nodes\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )

    worker = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(classifier), capture_output=True, check=True
    )

    assert worker.stdout.split() == [b"False"]
    assert worker.stderr == b""
