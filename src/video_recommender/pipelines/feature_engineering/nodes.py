"""Compute the importance of objects in each video, and the point of the video in object space."""

from typing import Any

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.schemas import (
    ClassEmbeddings,
    ClassScores,
    Detections,
    Segmentations,
    SegmentationScores,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.importance import Detector, ObjectScores
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace, score_objects
from video_recommender.storage.partitions import Partitions


def fit_object_space(
    detections: Partitions[DataFrame[Detections]],
    class_scores: Partitions[DataFrame[ClassScores]],
    class_embeddings: DataFrame[ClassEmbeddings],
    finetuned_detections: Partitions[DataFrame[Detections]],
    finetuned_class_scores: Partitions[DataFrame[ClassScores]],
    finetuned_class_embeddings: DataFrame[ClassEmbeddings] | None,
    segmentations: Partitions[DataFrame[Segmentations]],
    segmentation_scores: Partitions[DataFrame[SegmentationScores]],
    segmented_class_embeddings: DataFrame[ClassEmbeddings] | None,
    options: FeatureOptions,
) -> tuple[ObjectScores, ObjectSpace]:
    """Compute the object scores of every video, and fit the object space to them.

    Each detector has detections, class scores and class embeddings. Only the data of the detector in `options` is read.
    If a detector has not run, its partitions are empty and its class embeddings are None.

    Returns:
        Scores with one row per processed video, including videos without detections, and the fitted space.

    Raises:
        ValueError: if the detector has not run or has processed no video.
    """
    sources: dict[Detector, tuple[str, Partitions[Any], Partitions[Any], DataFrame[ClassEmbeddings] | None]] = {
        "classifier": ("detection", detections, class_scores, class_embeddings),
        "finetuned": ("transfer_learning", finetuned_detections, finetuned_class_scores, finetuned_class_embeddings),
        "segmenter": ("segmentation", segmentations, segmentation_scores, segmented_class_embeddings),
    }
    pipeline, per_frame, per_class, embeddings = sources[options.detector]
    detector = f"feature_engineering.detector={options.detector}"
    if embeddings is None:
        raise ValueError(f"{detector} has not run: run `kedro run --pipelines={pipeline}` first")
    if not per_frame:
        raise ValueError(f"{detector} has processed no video: see the column `error` of the manifest of {pipeline}")
    videos, class_names = pd.Index(per_frame, dtype=str), pd.Index(embeddings.index)
    scores = score_objects(per_frame.blocks("video_id"), per_class.blocks("video_id"), videos, class_names, options)
    return scores, ObjectSpace(options).fit(scores, embeddings)


def measure_importances(object_scores: ObjectScores, object_space: ObjectSpace) -> DataFrame[VideoFeatures]:
    """Compute the importance of each object in each video."""
    return object_space.importances(object_scores)


def compute_points(video_features: DataFrame[VideoFeatures], object_space: ObjectSpace) -> DataFrame[VideoPoints]:
    """Compute each video's point in object space."""
    return object_space.transform(video_features)
