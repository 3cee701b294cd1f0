from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.classification_head import ClassificationHead
from video_recommender.networks.cross_fitting import HeadLearner, TrainingSet, cross_fit
from video_recommender.networks.finetuned_network import put_head_on
from video_recommender.networks.last_block import LastBlock, split_before_last_block
from video_recommender.networks.litert_classifier import compile_for_cpu
from video_recommender.networks.object_points import ObjectPoints
from video_recommender.networks.pretrained import KerasModel, embedding_network
from video_recommender.networks.training_options import TransferLearningOptions

CLASSES = ("bright", "dark", "red")


@pytest.fixture(scope="module")
def pictures() -> Frames:
    """Nine pictures of each of two kinds: bright ones and dark ones."""
    random = np.random.default_rng(2)
    levels = np.repeat([200, 60], 9)[:, np.newaxis, np.newaxis, np.newaxis]
    return (levels + random.integers(-40, 40, (18, 8, 8, 3))).astype(np.uint8)


def head_for(network: KerasModel, names: tuple[str, ...], threshold: float) -> ClassificationHead:
    random, points = np.random.default_rng(4), ObjectPoints.of(network)
    weights = random.normal(size=(8, len(names))).astype(np.float32)
    return ClassificationHead(names, weights, np.zeros(len(names), np.float32), points, threshold)


@pytest.mark.parametrize("names", [CLASSES, ("bright", "other", "red")])
def test_the_network_says_what_its_head_says_also_of_what_it_calls_other(
    tiny_network: KerasModel, pictures: Frames, names: tuple[str, ...]
) -> None:
    features = np.asarray(embedding_network(tiny_network)(pictures))
    unsure = head_for(tiny_network, names, threshold=0.0)
    threshold = float(np.median(unsure.describe(features).probabilities.max(axis=1)))
    head = replace(unsure, other_threshold=threshold)

    network = put_head_on(tiny_network, head)
    said = head.describe(features).probabilities

    np.testing.assert_allclose(np.asarray(network(pictures)), said, atol=1e-5)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    is_other = said[:, head.output_names.index("other")] == 1
    assert 0 < is_other.sum() < len(pictures)
    assert head.output_names == (names if "other" in names else (*names, "other"))


def test_the_network_is_the_same_after_it_was_saved_and_compiled(
    tiny_network: KerasModel, pictures: Frames, tmp_path
) -> None:
    import keras

    head = head_for(tiny_network, CLASSES, threshold=0.4)
    network = put_head_on(tiny_network, head)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")

    np.testing.assert_array_equal(np.asarray(loaded(pictures)), np.asarray(network(pictures)))
    compiled = compile_for_cpu(network, network.name, head.output_names)
    np.testing.assert_allclose(compiled.probabilities(pictures), np.asarray(network(pictures)), atol=1e-4)


def test_a_class_that_is_called_other_where_no_class_fits_resembles_nothing(tiny_network: KerasModel) -> None:
    embeddings = head_for(tiny_network, CLASSES, threshold=0.4).embeddings()

    assert embeddings.index.tolist() == [*CLASSES, "other"]
    assert (embeddings.loc["other"] == 0).all()
    assert (embeddings.loc["dark"] != 0).any()


def test_a_network_is_cut_where_what_goes_in_comes_out_again(tiny_network: KerasModel, pictures: Frames) -> None:
    base = embedding_network(tiny_network)
    trunk, block = split_before_last_block(base)

    assert 0 < len(block.layers) < len(base.layers)
    assert block.trainable_weights
    np.testing.assert_allclose(np.asarray(block(trunk(pictures))), np.asarray(base(pictures)), atol=1e-6)


def test_tuning_the_last_block_learns_more_and_leaves_the_network_as_it_was(
    tiny_network: KerasModel, pictures: Frames
) -> None:
    before = [weight.copy() for weight in tiny_network.get_weights()]
    options = TransferLearningOptions(
        folds=2, epochs=8, unfreeze=True, unfreeze_learning_rate=0.01, unsure_share=0.0, seed=6
    )
    names = np.repeat(["bright", "dark"], 9)
    images = pd.DataFrame(
        {
            "image": [f"{name}/{number}/1.jpg" for number, name in enumerate(names)],
            "source": [f"{name}/{number}" for number, name in enumerate(names)],
            "class_name": names,
            "group": [f"{name}-{number % 9}" for number, name in enumerate(names)],
        }
    )
    features = np.asarray(embedding_network(tiny_network)(pictures))[:, np.newaxis]
    points = ObjectPoints.of(tiny_network)
    block = LastBlock(tiny_network, (picture[np.newaxis] for picture in pictures))

    heads = cross_fit(HeadLearner(TrainingSet(images, features), options, points, block))
    network = put_head_on(tiny_network, heads.final)

    assert all((now == then).all() for now, then in zip(tiny_network.get_weights(), before, strict=True))
    untuned = split_before_last_block(embedding_network(tiny_network))[1].get_weights()
    assert any((new != old).any() for new, old in zip(heads.final.block, untuned, strict=True))
    said = np.array(heads.final.class_names)[np.asarray(network(pictures)).argmax(axis=1)]
    assert (said == names).mean() > 0.9
    tuned = np.asarray(embedding_network(put_head_on(tiny_network, replace(heads.final, object_points=None)))(pictures))
    np.testing.assert_allclose(heads.final.describe(tuned).probabilities, np.asarray(network(pictures)), atol=2e-3)
