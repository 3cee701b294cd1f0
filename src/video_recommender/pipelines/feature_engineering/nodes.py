"""Turn each video's objects into a point in object space."""

from typing import TypeVar

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.partitions import Partitions
from video_recommender.schemas import (
    ClassEmbeddings,
    ClassScoreTable,
    Detections,
    Segmentations,
    SegmentationScores,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.importance import (
    Detector,
    ObjectScores,
    evidence_of_detections,
    evidence_of_probabilities,
    evidence_of_segmentation_scores,
    evidence_of_segmentations,
)
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace

T = TypeVar("T")


def gather_object_scores(
    detections: Partitions[DataFrame[Detections]],
    class_score_table: DataFrame[ClassScoreTable],
    class_embeddings: DataFrame[ClassEmbeddings],
    finetuned_detections: Partitions[DataFrame[Detections]],
    finetuned_class_score_table: DataFrame[ClassScoreTable] | None,
    finetuned_class_embeddings: DataFrame[ClassEmbeddings] | None,
    segmentations: Partitions[DataFrame[Segmentations]],
    segmentation_scores: Partitions[DataFrame[SegmentationScores]],
    segmented_class_embeddings: DataFrame[ClassEmbeddings] | None,
    options: FeatureOptions,
) -> tuple[ObjectScores, DataFrame[ClassEmbeddings]]:
    """Gather what the chosen detector has seen in every video.

    Args:
        detections: per video, the most probable object in each frame; read only where `options` ask for them.
        class_score_table: each video's mean class probabilities.
        class_embeddings: index `class_name`: every class that the network knows.
        finetuned_detections: the same three of the network that has learnt classes of one's own; they need not be
            there if it is not chosen.
        finetuned_class_score_table: see above.
        finetuned_class_embeddings: see above.
        segmentations: per video, the objects in each frame with their areas; likewise.
        segmentation_scores: per video, what was seen of each class, be it doubtfully; likewise.
        segmented_class_embeddings: index `class_name`: every class that the segmenter knows; likewise.
        options: see `FeatureOptions`.

    Returns:
        A row per video that was looked at, even if nothing was seen; and the classes of the chosen detector.

    Raises:
        ValueError: if there is not one, or the chosen detector has not run.
    """
    match options.detector:
        case "classifier":
            return _evidence_of_frames(detections, class_score_table, class_embeddings, options), class_embeddings
        case "finetuned":
            if finetuned_class_score_table is None or finetuned_class_embeddings is None:
                raise ValueError(_what_to_run("finetuned", "transfer_learning"))
            evidence = _evidence_of_frames(
                finetuned_detections, finetuned_class_score_table, finetuned_class_embeddings, options
            )
            return evidence, finetuned_class_embeddings
        case "segmenter":
            if segmented_class_embeddings is None:
                raise ValueError(_what_to_run("segmenter", "segmentation"))
            class_names = pd.Index(segmented_class_embeddings.index)
            if options.evidence == "detections":
                objects = _usable(segmentations, "segmentation_manifest")
                evidence = evidence_of_segmentations(objects.blocks(), pd.Index(objects, dtype=str), class_names)
            else:
                seen = _usable(segmentation_scores, "segmentation_manifest")
                evidence = evidence_of_segmentation_scores(seen.blocks(), pd.Index(seen, dtype=str), class_names)
            return evidence, segmented_class_embeddings


def fit_object_space(
    object_scores: ObjectScores, object_classes: DataFrame[ClassEmbeddings], options: FeatureOptions
) -> ObjectSpace:
    """Learn how objects resemble each other, and how common each is."""
    return ObjectSpace(options).fit(object_scores, object_classes)


def measure_importances(object_scores: ObjectScores, object_space: ObjectSpace) -> DataFrame[VideoFeatures]:
    """Measure how important each object is in each video."""
    return object_space.importances(object_scores)


def place_videos(video_features: DataFrame[VideoFeatures], object_space: ObjectSpace) -> DataFrame[VideoPoints]:
    """Place each video in object space."""
    return object_space.transform(video_features)


def _evidence_of_frames(
    detections: Partitions[DataFrame[Detections]],
    class_score_table: DataFrame[ClassScoreTable],
    class_embeddings: DataFrame[ClassEmbeddings],
    options: FeatureOptions,
) -> ObjectScores:
    class_names = pd.Index(class_embeddings.index)
    usable = _usable(detections, "detection_manifest")
    video_ids = pd.Index(usable, dtype=str)
    if options.evidence == "detections":
        return evidence_of_detections(usable.blocks(), video_ids, class_names)
    return evidence_of_probabilities(class_score_table, video_ids, class_names)


def _usable(tables: Partitions[T], manifest: str) -> Partitions[T]:
    usable = tables.usable()
    if not usable:
        raise ValueError(f"Not one video has detections: see the column `error` of {manifest}")
    return usable


def _what_to_run(detector: Detector, pipeline: str) -> str:
    return f"features.detector={detector} has seen no video yet: run `kedro run --pipelines={pipeline}` first"
