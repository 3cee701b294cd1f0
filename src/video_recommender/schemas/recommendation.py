"""Tables of the recommendation stage."""

from typing import ClassVar

import pandera.pandas as pa
from pandera.typing import Series

from .table_models import ROUNDING_LIMIT, Table


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

    detector: Series[str] = pa.Field(description="The detector, see the parameter `feature_engineering.detector`.")
    importance: Series[str] = pa.Field(description="The formula, see the parameter `feature_engineering.importance`.")
    candidates: Series[str] = pa.Field(
        isin=["all", "other_groups"], description="`other_groups`: without videos of the query's group."
    )
    neighbours: Series[int] = pa.Field(ge=1, description="Number of recommended videos, the k of the metrics.")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Mean precision@k.")
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="Mean nDCG@k.")
