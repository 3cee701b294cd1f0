from dataclasses import replace

import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.classification_head import ClassificationHead, ObjectSpaceProjection, attach_head
from video_recommender.networks.frame_classifier import convert_classifier
from video_recommender.networks.pretrained import KerasModel, embedding_model

CLASSES = ("bright", "dark", "red")


@pytest.fixture(scope="module")
def images() -> Frames:
    """Nine bright and nine dark images: uint8 RGB, shape (18, 8, 8, 3)."""
    random = np.random.default_rng(2)
    levels = np.repeat([200, 60], 9)[:, np.newaxis, np.newaxis, np.newaxis]
    return (levels + random.integers(-40, 40, (18, 8, 8, 3))).astype(np.uint8)


def head_for(network: KerasModel, names: tuple[str, ...], threshold: float) -> ClassificationHead:
    random, projection = np.random.default_rng(4), ObjectSpaceProjection.from_network(network)
    weights = random.normal(size=(8, len(names))).astype(np.float32)
    return ClassificationHead(names, weights, np.zeros(len(names), np.float32), projection, threshold)


@pytest.mark.parametrize("names", [CLASSES, ("bright", "other", "red")])
def test_the_network_and_its_head_give_the_same_predictions_including_rejected_images(
    tiny_network: KerasModel, images: Frames, names: tuple[str, ...]
) -> None:
    features = np.asarray(embedding_model(tiny_network)(images))
    without_rejection = head_for(tiny_network, names, threshold=0.0)
    threshold = float(np.median(without_rejection.predict(features).probabilities.max(axis=1)))
    head = replace(without_rejection, rejection_threshold=threshold)

    network = attach_head(tiny_network, head)
    predicted = head.predict(features).probabilities

    np.testing.assert_allclose(np.asarray(network(images)), predicted, atol=1e-5)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)
    is_other = predicted[:, head.output_names.index("other")] == 1
    assert 0 < is_other.sum() < len(images)
    assert head.output_names == (names if "other" in names else (*names, "other"))


def test_saving_and_conversion_do_not_change_the_network(tiny_network: KerasModel, images: Frames, tmp_path) -> None:
    import keras

    head = head_for(tiny_network, CLASSES, threshold=0.4)
    network = attach_head(tiny_network, head)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")

    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(network(images)))
    converted = convert_classifier(network, network.name, head.output_names)
    np.testing.assert_allclose(converted.predict(images).probabilities, np.asarray(network(images)), atol=1e-4)


def test_the_class_of_rejected_images_has_a_zero_embedding(tiny_network: KerasModel) -> None:
    embeddings = head_for(tiny_network, CLASSES, threshold=0.4).class_embeddings()

    assert embeddings.index.tolist() == [*CLASSES, "other"]
    assert (embeddings.loc["other"] == 0).all()
    assert (embeddings.loc["dark"] != 0).any()
