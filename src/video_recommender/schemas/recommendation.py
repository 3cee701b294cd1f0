"""Tables of the recommendation stage."""

from typing import ClassVar

import pandera.pandas as pa
from pandera.typing import Series

from .table_models import ROUNDING_LIMIT, Table


class Recommendations(Table):
    """Recommendations, one row per recommended video: by default ten per video, fewer in a smaller corpus."""

    video_id: Series[str] = pa.Field(description="id of the query video, `category/slug`")
    rank: Series[int] = pa.Field(ge=1, description="rank of the recommended video, from 1 (nearest)")
    recommended_video_id: Series[str] = pa.Field(description="id of the recommended video, `category/slug`")
    similarity: Series[float] = pa.Field(
        ge=-ROUNDING_LIMIT, le=ROUNDING_LIMIT, description="cosine of the two points in object space, -1 to 1"
    )
    shared_objects: Series[str] = pa.Field(
        description="objects that make the two videos similar, comma-separated, most important first"
    )

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["video_id", "rank"]


class RecommendationReport(Table):
    """Ranking metrics, one row per recommender and candidate set. Without enough videos, there are no rows."""

    system: Series[str] = pa.Field(
        isin=["object_space", "embeddings", "probabilities", "raw_counts", "titles", "random"],
        description="name of the recommender",
    )
    candidates: Series[str] = pa.Field(
        isin=["all", "other_groups"], description="`all` videos, or `other_groups`: without the group of the query"
    )
    neighbours: Series[int] = pa.Field(ge=1, description="number of recommended videos, the k of the metrics")
    videos: Series[int] = pa.Field(ge=0, description="number of queries with at least one relevant candidate")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="mean precision@k, 0 to 1")
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="mean nDCG@k, 0 to 1")
    map: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="MAP@k, 0 to 1")
    intra_list_diversity: Series[float] = pa.Field(
        nullable=True, ge=0, le=2, description="mean of 1 - cosine over the pairs of videos in a list, 0 to 2"
    )
    catalogue_coverage: Series[float] = pa.Field(
        nullable=True, ge=0, le=1, description="share of the videos that are recommended at least once, 0 to 1"
    )


class ImportanceReport(Table):
    """Ranking metrics, one row per importance formula and candidate set."""

    detector: Series[str] = pa.Field(description="detector, a value of the parameter `feature_engineering.detector`")
    importance: Series[str] = pa.Field(description="formula, a value of the parameter `feature_engineering.importance`")
    candidates: Series[str] = pa.Field(
        isin=["all", "other_groups"], description="`all` videos, or `other_groups`: without the group of the query"
    )
    neighbours: Series[int] = pa.Field(ge=1, description="number of recommended videos, the k of the metrics")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="mean precision@k, 0 to 1")
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT, description="mean nDCG@k, 0 to 1")
