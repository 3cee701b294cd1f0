"""Transfer learning on videos of the same things in three styles, which no class of ImageNet tells apart."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from video_recommender.incremental.parallel import WorkerOptions

from video_recommender.media.frames import EncodedFrames
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.networks.conversion import convert_classifier
from video_recommender.networks.cross_fitting import gather_training_set
from video_recommender.networks.detections import DetectionOptions, classify_frames
from video_recommender.networks.head_training import (
    HeadHyperparameters,
    LabelledInputs,
    balanced_class_weights,
    train_head,
)
from video_recommender.networks.pretrained import (
    build_network,
    class_embeddings,
    imagenet_class_names,
    last_layer_weights,
)
from video_recommender.networks.training_images import TransferLearningOptions
from video_recommender.pipelines.detection.nodes import detect_objects
from video_recommender.pipelines.transfer_learning import nodes
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.similarity.recommender import RecommendationOptions
from video_recommender.storage.partitions import Partitions

HERE = WorkerOptions(backend="sequential")
OPTIONS = TransferLearningOptions(features="embedding", folds=3, frames_per_video=2, rejection_rate=0.0)
SEED = 1
NEIGHBOURS = 5


def kept(updates):
    """What a dataset would hold once all updates were saved, contents in memory."""
    made = {key: part for update in updates for key, part in update.items() if part is not None}
    return Partitions({key: stored(part) for key, part in made.items()})


def stored(part):
    return SimpleNamespace(record=part.record, load=partial(lambda content: content, part.content))


def collect(styles, options=OPTIONS, kept_before=None):
    frames, hashes, corpus = styles
    before = kept_before or Partitions()
    return nodes.collect_training_images(frames, hashes, corpus, before, options, PreprocessingOptions(), HERE)


@pytest.fixture(scope="module")
def learnt(styles):
    """Everything that the pipeline makes of the videos."""
    frames, _hashes, corpus = styles
    network = build_network("efficientnet-lite0")
    classifier = convert_classifier(network, "efficientnet-lite0")
    images = kept(collect(styles))
    saved = Partitions({key: folder_of(frames, image) for key, image in images.items()})
    features = kept(nodes.embed_training_images(saved, Partitions(), classifier, HERE, SEED))
    frame_features = kept(nodes.embed_video_frames(frames, Partitions(), classifier, HERE))
    heads = nodes.train_heads(features, network, OPTIONS, SEED)
    named = list(nodes.detect_finetuned_objects(frame_features, corpus, heads, Partitions(), Partitions(), HERE))
    objects = list(
        detect_objects(frames, Partitions(), Partitions(), Partitions(), classifier, DetectionOptions(), HERE)
    )
    return SimpleNamespace(
        network=network,
        images=images,
        features=features,
        heads=heads,
        detections=kept(update[0] for update in named),
        class_scores=kept(update[1] for update in named),
        objects=kept(update[0] for update in objects),
        object_class_scores=kept(update[1] for update in objects),
    )


def folder_of(frames, image):
    """The images as they are once they have been saved; here, frames 1 and 2 are all that a video has."""
    return SimpleNamespace(record=image.record, load=lambda: DecodedFolder(image.load()))


class DecodedFolder:
    def __init__(self, encoded: EncodedFrames) -> None:
        self.decode = encoded.decode
        self.pictures = encoded.pictures


def test_the_new_head_names_categories_and_recommends_better_than_the_thousand_class_network(learnt, styles):
    measured = nodes.measure_transfer_learning(
        learnt.heads,
        learnt.objects,
        learnt.object_class_scores,
        class_embeddings(last_layer_weights(learnt.network)[0].T, imagenet_class_names()),
        learnt.detections,
        learnt.class_scores,
        nodes.extract_finetuned_class_embeddings(learnt.heads),
        styles[2],
        FeatureOptions(),
        ClassificationOptions(folds=3),
        RecommendationOptions(neighbours=NEIGHBOURS),
        seed=0,
    )

    precision = f"precision_at_{NEIGHBOURS}_other_groups"
    assert measured["image_accuracy"] > 0.85
    assert measured["finetuned_category_accuracy"] > measured["object_detector_category_accuracy"] + 0.05
    assert measured[f"finetuned_{precision}"] > measured[f"object_detector_{precision}"] + 0.05


def test_a_video_is_classified_by_a_head_that_was_not_trained_on_its_group(learnt):
    images = learnt.heads.images
    fold_of = images.drop_duplicates("source").set_index("source")["fold"]

    assert images.groupby("group")["fold"].nunique().eq(1).all()
    assert fold_of.gt(0).all()
    assert {video_id: detected.record.details["fold"] for video_id, detected in learnt.detections.items()} == dict(
        fold_of
    )


def test_the_same_images_give_the_same_head(learnt):
    training_set = gather_training_set(learnt.features)
    inputs = LabelledInputs(training_set.embeddings, training_set.labels)
    how = HeadHyperparameters(epochs=3, learning_rate=0.01, weight_decay=0.003, seed=1)

    first, again = (train_head(inputs, inputs, 3, how) for _ in range(2))

    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.bias.tobytes() == again.bias.tobytes()
    assert first.history.equals(again.history)


def test_a_class_of_few_images_counts_as_much_as_one_of_many():
    weights = balanced_class_weights(np.array([0] * 9 + [1]))

    assert 9 * weights[0] == pytest.approx(weights[1])


def test_nothing_is_embedded_again_with_the_same_network_and_seed(learnt, styles):
    class Unneeded:
        digest = convert_classifier(learnt.network, "efficientnet-lite0").digest

    saved = Partitions({key: folder_of(styles[0], image) for key, image in learnt.images.items()})

    assert list(nodes.embed_training_images(saved, learnt.features, Unneeded(), HERE, SEED)) == [{}]


def test_the_converted_network_agrees_with_the_head(learnt, styles):
    network = nodes.build_finetuned_network(learnt.network, learnt.heads)
    classifier = nodes.convert_finetuned_classifier(network, learnt.heads)
    pictures = styles[0]["drawings/coffee-0"].load().decode()

    assert nodes.list_finetuned_classes(learnt.heads) == {"days": 0, "drawings": 1, "nights": 2}
    assert classifier.class_names == ("days", "drawings", "nights")
    assert classify_frames(pictures, classifier).detections["class_name"].tolist() == ["drawings", "drawings"]
    np.testing.assert_allclose(classifier.predict(pictures).probabilities, np.asarray(network(pictures)), atol=1e-3)


def test_figures_and_predictions_tell_how_well_it_went(learnt):
    predictions = nodes.list_image_predictions(learnt.heads)

    assert len(predictions) == len(learnt.heads.images)
    assert predictions["probability_of_class"].is_monotonic_increasing
    assert (
        "held-out images classified correctly" in nodes.draw_finetuned_confusion_matrix(predictions).layout.title.text
    )
    assert "3 folds" in nodes.draw_learning_curves(learnt.heads).layout.title.text


def test_too_few_images_stop_the_run_before_any_is_read(styles):
    with pytest.raises(ValueError, match=r"has \d+ images, but at least 1000 are needed"):
        next(collect(styles, OPTIONS.model_copy(update={"min_images": 1000})))


def test_images_that_cannot_be_read_are_skipped_and_listed(styles, tmp_path):
    frames, _, _ = styles
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for number, video_id in enumerate(list(frames)[:2]):
            (tmp_path / name / f"{number}.jpg").write_bytes(frames[video_id].load().files[name == "dogs"].read_bytes())
    (tmp_path / "dogs" / "broken.jpg").write_bytes(b"no picture")

    images = kept(collect(styles, OPTIONS.model_copy(update={"images": tmp_path, "min_images": 2})))
    skipped = nodes.list_skipped_images(images)

    assert len(images.usable()) == 4
    assert skipped["image"].tolist() == [str(tmp_path / "dogs" / "broken.jpg")]
    assert skipped["status"].tolist() == ["unreadable"]
    assert pd.notna(skipped["error"]).all()


def test_too_few_readable_images_stop_the_run_before_training():
    with pytest.raises(ValueError, match="there is no class: give a folder"):
        nodes.train_heads(Partitions(), None, OPTIONS, SEED)
