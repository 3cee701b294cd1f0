"""Tables of the deduplication, feature engineering, classification and recommendation stages."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import ROUNDING_LIMIT, PartitionTable, Table, VideoRows


class FrameHashes(PartitionTable):
    """Perceptual hashes of one video's frames, without those of low contrast."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True, description="Frame number, from 1.")
    zoom_100: Series[np.uint64] = pa.Field(description="Hash of the whole frame, 64 bits.")
    zoom_95: Series[np.uint64] = pa.Field(description="Hash of the central 95 % of width and height.")
    zoom_90: Series[np.uint64] = pa.Field(description="Hash of the central 90 %.")
    zoom_85: Series[np.uint64] = pa.Field(description="Hash of the central 85 %.")
    zoom_80: Series[np.uint64] = pa.Field(description="Hash of the central 80 %.")


class NearDuplicates(Table):
    """Videos that are a copy, a cropped copy or an excerpt of another one."""

    video_id: Series[str] = pa.Field(unique=True, description="The near duplicate.")
    repeats: Series[str] = pa.Field(description="Its original, which is not a near duplicate itself.")
    matched_share: Series[float] = pa.Field(
        ge=0, le=1, description="Share of the frames of the shorter video that match the other one."
    )
    offset_s: Series[float] = pa.Field(description="Where it starts in the original, in seconds.")


class Corpus(Table):
    """Usable videos, with their groups."""

    video_id: Series[str] = pa.Field(unique=True, description="The video.")
    category: Series[str] = pa.Field(nullable=True, description="Its category; empty if unknown.")
    group: Series[str] = pa.Field(
        description="Videos of one group stay in one fold; a near duplicate has the group of its original."
    )
    title: Series[str] = pa.Field(description="Title of the video.")
    repeats: Series[str] = pa.Field(nullable=True, description="Original of a near duplicate; empty for others.")
    is_used: Series[bool] = pa.Field(
        description="False for excluded near duplicates, which are neither trained on nor recommended."
    )


class VideoFeatures(VideoRows):
    """Importance of objects: a row per video, a column per object."""

    @pa.dataframe_check
    @classmethod
    def importances_are_finite_and_not_negative(cls, table: pd.DataFrame) -> bool:
        """Check that every importance is finite and not negative."""
        values = table.to_numpy()
        return not values.size or bool(values.min() >= 0 and values.max() < float("inf"))


class VideoPoints(VideoRows):
    """Points in object space, of unit length: a row per video, a column per axis."""


class SpaceMap(VideoRows):
    """Points of a two-dimensional projection of object space; only neighbourhoods are meaningful."""

    x: Series[np.float32] = pa.Field(description="First coordinate, without a unit.")
    y: Series[np.float32] = pa.Field(description="Second coordinate, without a unit.")

    class Config:
        strict = True


class CategoryPredictions(Table):
    """Predicted category of each video."""

    video_id: Series[str] = pa.Field(unique=True, description="The video.")
    category: Series[str] = pa.Field(nullable=True, description="Its category; empty if unknown.")
    predicted_category: Series[str] = pa.Field(description="The most probable category.")
    probability: Series[float] = pa.Field(ge=0, le=1, description="Probability of that category.")
    fold: Series[pd.Int64Dtype] = pa.Field(
        nullable=True,
        ge=1,
        description="Fold in which the video was held out; empty if the trained classifier predicted it.",
    )


class CategoryReport(Table):
    """Metrics of each category; empty if they could not be measured."""

    category: Series[str] = pa.Field(unique=True, description="The category.")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Out-of-fold precision.")
    recall: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Out-of-fold recall.")
    f1: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Out-of-fold F1 score.")
    videos: Series[int] = pa.Field(ge=1, description="Number of videos in the category.")


class Recommendations(Table):
    """The nearest videos of each video: ten rows per video, fewer in a smaller corpus."""

    video_id: Series[str] = pa.Field(description="The video that they are recommended for.")
    rank: Series[int] = pa.Field(ge=1, description="1 for the nearest.")
    recommended_video_id: Series[str] = pa.Field(description="The recommended video.")
    similarity: Series[float] = pa.Field(
        ge=-ROUNDING_LIMIT, le=ROUNDING_LIMIT, description="Cosine of their points in object space."
    )
    shared_objects: Series[str] = pa.Field(
        description="Objects that make the two similar, comma-separated, most important first."
    )

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["video_id", "rank"]


class RecommendationReport(Table):
    """Ranking metrics of each recommender and choice of candidates; empty if they could not be measured."""

    system: Series[str] = pa.Field(
        isin=["object_space", "embeddings", "probabilities", "raw_counts", "titles", "random"],
        description="The recommender.",
    )
    candidates: Series[str] = pa.Field(
        isin=["all", "other_groups"], description="`other_groups`: without videos of the query's group."
    )
    neighbours: Series[int] = pa.Field(ge=1, description="Number of recommended videos, the k of the metrics.")
    videos: Series[int] = pa.Field(ge=0, description="Number of evaluated videos: those with a relevant candidate.")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Mean precision@k.")
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="Mean nDCG@k.")
    map: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="MAP@k.")
    intra_list_diversity: Series[float] = pa.Field(
        nullable=True, ge=0, le=2, description="Mean 1 - cosine of the pairs of videos in a list."
    )
    catalogue_coverage: Series[float] = pa.Field(
        nullable=True, ge=0, le=1, description="Share of the videos that are recommended at least once."
    )


class ImportanceReport(Table):
    """Ranking metrics of each formula of importance and choice of candidates."""

    detector: Series[str] = pa.Field(description="The detector, see the parameter `features.detector`.")
    importance: Series[str] = pa.Field(description="The formula, see the parameter `features.importance`.")
    candidates: Series[str] = pa.Field(
        isin=["all", "other_groups"], description="`other_groups`: without videos of the query's group."
    )
    neighbours: Series[int] = pa.Field(ge=1, description="Number of recommended videos, the k of the metrics.")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Mean precision@k.")
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="Mean nDCG@k.")
