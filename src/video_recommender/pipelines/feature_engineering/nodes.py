"""Turn each video's objects into a point in object space."""

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.partitions import Partitions
from video_recommender.pipelines.feature_engineering.importance import (
    ObjectEvidence,
    evidence_of_detections,
    evidence_of_probabilities,
)
from video_recommender.pipelines.feature_engineering.object_space import FeatureOptions, ObjectSpace
from video_recommender.schemas import ClassEmbeddings, ClassEvidence, Detections, VideoFeatures, VideoPoints


def gather_evidence(
    detections: Partitions[DataFrame[Detections]],
    class_evidence: DataFrame[ClassEvidence],
    class_embeddings: DataFrame[ClassEmbeddings],
    options: FeatureOptions,
) -> ObjectEvidence:
    """Gather what was seen in every video.

    Args:
        detections: per video, the most probable object in each frame; read only where `options` ask for them.
        class_evidence: each video's mean class probabilities.
        class_embeddings: index `class_name`: every class that the network knows.
        options: see `FeatureOptions`.

    Returns:
        A row per video that has detections, even if they are empty.

    Raises:
        ValueError: if there is not one.
    """
    usable = detections.usable()
    if not usable:
        raise ValueError("Not one video has detections: see the column `error` of detection_manifest")
    class_names = pd.Index(class_embeddings.index)
    if options.evidence == "detections":
        return evidence_of_detections({video_id: stored.load for video_id, stored in usable.items()}, class_names)
    return evidence_of_probabilities(class_evidence, pd.Index(list(usable), dtype=str), class_names)


def fit_object_space(
    object_evidence: ObjectEvidence, class_embeddings: DataFrame[ClassEmbeddings], options: FeatureOptions
) -> ObjectSpace:
    """Learn how objects resemble each other, and how common each is."""
    return ObjectSpace(options).fit(object_evidence, class_embeddings)


def measure_importances(object_evidence: ObjectEvidence, object_space: ObjectSpace) -> DataFrame[VideoFeatures]:
    """Measure how important each object is in each video."""
    return object_space.importances(object_evidence)


def place_videos(video_features: DataFrame[VideoFeatures], object_space: ObjectSpace) -> DataFrame[VideoPoints]:
    """Place each video in object space."""
    return object_space.transform(video_features)
