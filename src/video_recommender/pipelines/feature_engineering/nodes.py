"""Turn each video's objects into a point in object space."""

from typing import TypeVar

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.partitions import Partitions
from video_recommender.pipelines.feature_engineering.importance import (
    Detector,
    ObjectEvidence,
    evidence_of_detections,
    evidence_of_probabilities,
    evidence_of_seen_classes,
    evidence_of_segmentations,
)
from video_recommender.pipelines.feature_engineering.object_space import FeatureOptions, ObjectSpace
from video_recommender.schemas import (
    ClassEmbeddings,
    ClassEvidence,
    Detections,
    SeenClasses,
    Segmentations,
    VideoFeatures,
    VideoPoints,
)

T = TypeVar("T")


def gather_evidence(
    detections: Partitions[DataFrame[Detections]],
    class_evidence: DataFrame[ClassEvidence],
    class_embeddings: DataFrame[ClassEmbeddings],
    finetuned_detections: Partitions[DataFrame[Detections]],
    finetuned_class_evidence: DataFrame[ClassEvidence] | None,
    finetuned_class_embeddings: DataFrame[ClassEmbeddings] | None,
    segmentations: Partitions[DataFrame[Segmentations]],
    seen_classes: Partitions[DataFrame[SeenClasses]],
    segmented_class_embeddings: DataFrame[ClassEmbeddings] | None,
    options: FeatureOptions,
) -> tuple[ObjectEvidence, DataFrame[ClassEmbeddings]]:
    """Gather what the chosen detector has seen in every video.

    Args:
        detections: per video, the most probable object in each frame; read only where `options` ask for them.
        class_evidence: each video's mean class probabilities.
        class_embeddings: index `class_name`: every class that the network knows.
        finetuned_detections: the same three of the network that has learnt classes of one's own; they need not be
            there if it is not chosen.
        finetuned_class_evidence: see above.
        finetuned_class_embeddings: see above.
        segmentations: per video, the objects in each frame with their areas; likewise.
        seen_classes: per video, what was seen of each class, be it doubtfully; likewise.
        segmented_class_embeddings: index `class_name`: every class that the segmenter knows; likewise.
        options: see `FeatureOptions`.

    Returns:
        A row per video that was looked at, even if nothing was seen; and the classes of the chosen detector.

    Raises:
        ValueError: if there is not one, or the chosen detector has not run.
    """
    match options.detector:
        case "classifier":
            return _evidence_of_frames(detections, class_evidence, class_embeddings, options), class_embeddings
        case "finetuned":
            if finetuned_class_evidence is None or finetuned_class_embeddings is None:
                raise ValueError(_what_to_run("finetuned", "transfer_learning"))
            evidence = _evidence_of_frames(
                finetuned_detections, finetuned_class_evidence, finetuned_class_embeddings, options
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
                seen = _usable(seen_classes, "segmentation_manifest")
                evidence = evidence_of_seen_classes(seen.blocks(), pd.Index(seen, dtype=str), class_names)
            return evidence, segmented_class_embeddings


def fit_object_space(
    object_evidence: ObjectEvidence, object_classes: DataFrame[ClassEmbeddings], options: FeatureOptions
) -> ObjectSpace:
    """Learn how objects resemble each other, and how common each is."""
    return ObjectSpace(options).fit(object_evidence, object_classes)


def measure_importances(object_evidence: ObjectEvidence, object_space: ObjectSpace) -> DataFrame[VideoFeatures]:
    """Measure how important each object is in each video."""
    return object_space.importances(object_evidence)


def place_videos(video_features: DataFrame[VideoFeatures], object_space: ObjectSpace) -> DataFrame[VideoPoints]:
    """Place each video in object space."""
    return object_space.transform(video_features)


def _evidence_of_frames(
    detections: Partitions[DataFrame[Detections]],
    class_evidence: DataFrame[ClassEvidence],
    class_embeddings: DataFrame[ClassEmbeddings],
    options: FeatureOptions,
) -> ObjectEvidence:
    class_names = pd.Index(class_embeddings.index)
    usable = _usable(detections, "detection_manifest")
    video_ids = pd.Index(usable, dtype=str)
    if options.evidence == "detections":
        return evidence_of_detections(usable.blocks(), video_ids, class_names)
    return evidence_of_probabilities(class_evidence, video_ids, class_names)


def _usable(tables: Partitions[T], manifest: str) -> Partitions[T]:
    usable = tables.usable()
    if not usable:
        raise ValueError(f"Not one video has detections: see the column `error` of {manifest}")
    return usable


def _what_to_run(detector: Detector, pipeline: str) -> str:
    return f"features.detector={detector} has seen no video yet: run `kedro run --pipelines={pipeline}` first"
