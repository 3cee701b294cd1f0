"""Transfer learning on videos of the same subjects in three styles, which no class of ImageNet distinguishes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoError
from video_recommender.networks.cross_fitting import gather_training_set
from video_recommender.networks.detections import classify_frames
from video_recommender.networks.frame_classifier import convert_classifier
from video_recommender.networks.head_training import (
    HeadHyperparameters,
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
from video_recommender.pipelines.transfer_learning import nodes
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.similarity.recommender import RecommendationOptions
from video_recommender.storage.partitions import Partitions, PartitionState

OPTIONS = TransferLearningOptions(features="embedding", folds=3, frames_per_video=2, rejection_rate=0.0)
SEED = 1
NEIGHBOURS = 5


def sources_of(styles, **changes):
    return nodes.list_training_sources(*styles, OPTIONS.model_copy(update=changes), PreprocessingOptions())


def read_images(sources):
    """Read training images, with the states that the runner stores."""
    images, states = {}, {}
    for key, source in sources.items():
        try:
            images[key] = nodes.read_training_images(source)
            states[key] = PartitionState(properties=source.properties)
        except VideoError as error:
            states[key] = PartitionState(status=error.status, error=str(error), properties=source.properties)
    return Partitions.from_values(images, states)


@pytest.fixture(scope="module")
def trained(styles):
    """Outputs of the pipeline for the videos."""
    frames, _hashes, corpus = styles
    network = build_network("efficientnet-lite0")
    classifier = convert_classifier(network, "efficientnet-lite0")
    images = read_images(sources_of(styles))
    features = Partitions.from_values(
        {key: nodes.embed_training_images(load(), classifier, SEED) for key, load in images.items()}
    )
    frame_features = Partitions.from_values(
        {video_id: nodes.embed_video_frames(load(), classifier) for video_id, load in frames.items()}
    )
    heads = nodes.train_heads(images, features, network, OPTIONS, SEED)
    held_out = nodes.list_held_out_videos(frame_features, corpus, heads)
    finetuned = {video_id: nodes.detect_finetuned_objects(video, heads) for video_id, video in held_out.items()}
    objects = {video_id: classify_frames(load(), classifier) for video_id, load in frames.items()}
    return SimpleNamespace(
        network=network,
        images=images,
        features=features,
        heads=heads,
        finetuned=finetuned,
        detections=Partitions.from_values({key: video.detections for key, video in finetuned.items()}),
        class_scores=Partitions.from_values({key: video.class_scores for key, video in finetuned.items()}),
        objects=Partitions.from_values({key: video.detections for key, video in objects.items()}),
        object_class_scores=Partitions.from_values({key: video.class_scores for key, video in objects.items()}),
    )


def test_the_new_head_classifies_and_recommends_better_than_the_thousand_class_network(trained, styles):
    metrics = nodes.measure_transfer_learning(
        trained.heads,
        trained.objects,
        trained.object_class_scores,
        class_embeddings(last_layer_weights(trained.network)[0].T, imagenet_class_names()),
        trained.detections,
        trained.class_scores,
        nodes.extract_finetuned_class_embeddings(trained.heads),
        styles[2],
        FeatureOptions(),
        ClassificationOptions(folds=3),
        RecommendationOptions(neighbours=NEIGHBOURS),
        seed=0,
    )

    precision = f"precision_at_{NEIGHBOURS}_other_groups"
    assert metrics["image_accuracy"] > 0.85
    assert metrics["finetuned_category_accuracy"] > metrics["object_detector_category_accuracy"] + 0.05
    assert metrics[f"finetuned_{precision}"] > metrics[f"object_detector_{precision}"] + 0.05


def test_a_video_is_classified_by_a_head_that_was_not_trained_on_its_group(trained):
    images = trained.heads.images
    fold_of = images.drop_duplicates("source").set_index("source")["fold"]

    assert images.groupby("group")["fold"].nunique().eq(1).all()
    assert fold_of.gt(0).all()
    assert {video_id: video.properties["fold"] for video_id, video in trained.finetuned.items()} == dict(fold_of)


def test_training_is_deterministic(trained):
    properties = {key: state.properties for key, state in trained.images.states.items()}
    training_set = gather_training_set(trained.features, properties)
    inputs, labels, every_image = training_set.embeddings, training_set.labels, np.ones(len(training_set.labels), bool)
    hyperparameters = HeadHyperparameters(epochs=3, learning_rate=0.01, weight_decay=0.003, seed=1)

    first, again = (train_head(inputs, labels, every_image, every_image, hyperparameters) for _ in range(2))

    assert first.weights.tobytes() == again.weights.tobytes()
    assert first.bias.tobytes() == again.bias.tobytes()
    assert first.history.equals(again.history)


def test_small_and_large_classes_have_the_same_total_weight():
    weights = balanced_class_weights(np.array([0] * 9 + [1]))

    assert 9 * weights[0] == pytest.approx(weights[1])


def test_the_converted_network_agrees_with_the_head(trained, styles):
    network = nodes.build_finetuned_network(trained.network, trained.heads)
    classifier = nodes.convert_finetuned_classifier(network, trained.heads)
    images = styles[0].load("drawings/coffee-0").decode()

    assert nodes.list_finetuned_classes(trained.heads) == {"days": 0, "drawings": 1, "nights": 2}
    assert classifier.class_names == ("days", "drawings", "nights")
    assert classify_frames(images, classifier).detections["class_name"].tolist() == ["drawings", "drawings"]
    np.testing.assert_allclose(classifier.predict(images).probabilities, np.asarray(network(images)), atol=1e-3)


def test_predictions_and_figures_show_the_quality_of_the_head(trained):
    predictions = nodes.list_image_predictions(trained.heads)

    assert len(predictions) == len(trained.heads.images)
    assert predictions["probability_of_class"].is_monotonic_increasing
    assert (
        "held-out images classified correctly" in nodes.draw_finetuned_confusion_matrix(predictions).layout.title.text
    )
    assert "3 folds" in nodes.draw_learning_curves(trained.heads).layout.title.text


def test_only_used_videos_of_the_corpus_with_a_category_are_sources(styles):
    frames, hashes, corpus = styles
    unused = corpus.assign(
        is_used=corpus["video_id"] != "days/coffee-0",
        category=corpus["category"].where(corpus["video_id"] != "days/coffee-1"),
    )

    listed = {source.source for source in sources_of((frames, hashes, unused)).values()}

    assert set(corpus["video_id"]) - listed == {"days/coffee-0", "days/coffee-1"}


def test_too_few_images_stop_the_run_before_any_is_read(styles):
    with pytest.raises(ValueError, match=r"has \d+ images, but at least 1000 are required"):
        sources_of(styles, min_images=1000)


def test_images_that_cannot_be_read_are_skipped_and_listed(styles, tmp_path):
    frames, _, _ = styles
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for number, video_id in enumerate(list(frames)[:2]):
            (tmp_path / name / f"{number}.jpg").write_bytes(frames.load(video_id).files[name == "dogs"].read_bytes())
    (tmp_path / "dogs" / "broken.jpg").write_bytes(b"not an image")

    images = read_images(sources_of(styles, images=tmp_path, min_images=2))
    skipped = nodes.list_skipped_images(images)

    assert len(images) == 4
    assert skipped["image"].tolist() == [str(tmp_path / "dogs" / "broken.jpg")]
    assert skipped["status"].tolist() == ["unreadable"]
    assert pd.notna(skipped["error"]).all()


def test_too_few_readable_images_stop_the_run_before_training():
    with pytest.raises(ValueError, match=r"two classes \(found: 0\): use a folder"):
        nodes.train_heads(Partitions(), Partitions(), None, OPTIONS, SEED)
