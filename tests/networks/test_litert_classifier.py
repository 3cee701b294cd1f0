import pickle

import cv2
import joblib
import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.frame_classifier import (
    FRAMES_PER_CALL,
    LiteRTClassifier,
    convert_classifier,
    convert_pretrained,
)
from video_recommender.networks.pretrained import KerasModel, build_network, last_layer_weights, run_in_subprocess


def test_converted_network_agrees_with_keras(classifier: LiteRTClassifier, lite0: KerasModel, photos: Frames) -> None:
    converted = classifier.predict(photos).probabilities

    assert converted.shape == (3, 1000)
    assert converted.dtype == np.float32
    np.testing.assert_allclose(converted, np.asarray(lite0(photos)), atol=1e-3)


def test_converting_again_gives_the_same_classifier(classifier: LiteRTClassifier, lite0: KerasModel) -> None:
    again = convert_classifier(lite0, "efficientnet-lite0")

    assert again.digest == classifier.digest
    np.testing.assert_array_equal(again.flatbuffer, classifier.flatbuffer)


def test_the_larger_network_reads_larger_images_and_agrees_with_keras(photos: Frames) -> None:
    lite2 = build_network("efficientnet-lite2")
    larger = np.stack([cv2.resize(photo, (260, 260)) for photo in photos])

    converted = convert_classifier(lite2, "efficientnet-lite2")

    assert converted.input_size == (260, 260)
    np.testing.assert_allclose(converted.predict(larger).probabilities, np.asarray(lite2(larger)), atol=1e-3)


def test_predictions_do_not_depend_on_the_number_of_frames_per_call(
    classifier: LiteRTClassifier, photos: Frames
) -> None:
    assert (FRAMES_PER_CALL, len(photos)) == (2, 3)

    first, second = classifier.predict(photos), classifier.predict(photos)
    single = [classifier.predict(photos[number : number + 1]) for number in range(len(photos))]

    for predictions in (first, second):  # the second starts with an interpreter that is allocated for one frame
        np.testing.assert_array_equal(predictions.probabilities, np.concatenate([one.probabilities for one in single]))
        np.testing.assert_array_equal(predictions.embeddings, np.concatenate([one.embeddings for one in single]))


@pytest.mark.parametrize("application", ["MobileNetV2", "MobileNetV3Small"])
def test_keras_applications_read_two_frames_per_call(application: str, photos: Frames) -> None:
    """MobileNetV3Small ends in a convolution and a reshape."""
    import keras

    images = keras.Input((224, 224, 3))
    network = getattr(keras.applications, application)(weights=None)
    model = keras.Model(images, network(keras.layers.Rescaling(1 / 127.5, -1)(images)), name=application)

    converted = convert_classifier(model, application)

    np.testing.assert_allclose(converted.predict(photos).probabilities, np.asarray(model(photos)), atol=1e-5)


def test_other_weights_give_another_digest() -> None:
    import keras

    def tiny(bias: float) -> KerasModel:
        images = keras.Input((2, 2, 3))
        flat = keras.layers.Flatten()(images)
        layer = keras.layers.Dense(2, activation="softmax", bias_initializer=keras.initializers.Constant(bias))
        network = keras.Model(images, layer(flat))
        layer.kernel.assign(np.ones((12, 2)))
        return network

    first, second = (convert_classifier(tiny(bias), "tiny", ("cat", "dog")) for bias in (0.0, 1.0))

    assert first.digest != second.digest


def test_classifier_survives_pickling(classifier: LiteRTClassifier, photos: Frames) -> None:
    restored = pickle.loads(pickle.dumps(classifier))

    assert restored == classifier
    np.testing.assert_array_equal(restored.predict(photos).probabilities, classifier.predict(photos).probabilities)


def test_worker_processes_share_one_copy_of_the_network(classifier: LiteRTClassifier, photos: Frames) -> None:
    def predict_in_worker(sent: LiteRTClassifier) -> tuple[bool, np.ndarray]:
        return isinstance(sent.flatbuffer, np.memmap), sent.predict(photos).probabilities

    ((is_shared, probabilities),) = joblib.Parallel(n_jobs=2)([joblib.delayed(predict_in_worker)(classifier)])

    assert is_shared
    np.testing.assert_allclose(probabilities, classifier.predict(photos).probabilities, atol=1e-5)


def test_frames_of_another_size_are_resized(classifier: LiteRTClassifier, photos: Frames) -> None:
    larger = np.stack([cv2.resize(photo, (448, 448)) for photo in photos])

    np.testing.assert_array_equal(
        classifier.predict(larger).probabilities.argmax(axis=1), classifier.predict(photos).probabilities.argmax(axis=1)
    )


def test_the_number_of_names_must_be_the_number_of_outputs(lite0: KerasModel) -> None:
    with pytest.raises(ValueError, match="has 1000 outputs, but 2 class names"):
        convert_classifier(lite0, "efficientnet-lite0", ("cat", "dog"))


def test_a_subprocess_converts_the_same_network_as_this_process(
    classifier: LiteRTClassifier, lite0: KerasModel, capfd: pytest.CaptureFixture[str]
) -> None:
    converted, class_weights = run_in_subprocess(convert_pretrained, "efficientnet-lite0")

    assert converted == classifier
    assert converted.class_names == classifier.class_names
    np.testing.assert_array_equal(converted.flatbuffer, classifier.flatbuffer)
    np.testing.assert_array_equal(class_weights, last_layer_weights(lite0)[0].T)
    assert capfd.readouterr().err == ""


def test_an_unknown_network_is_reported_from_the_subprocess() -> None:
    with pytest.raises(ValueError, match="Unknown network 'efficientnet-lite9': select efficientnet-lite0"):
        run_in_subprocess(convert_pretrained, "efficientnet-lite9")
