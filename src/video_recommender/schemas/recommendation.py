"""Tables of the recommendation stage."""

from typing import ClassVar

import pandera.pandas as pa
from pandera.typing import Series

from .table_models import ROUNDING_LIMIT, Table, VideoRows


class ObjectCounts(VideoRows):
    """One row per video that shows something, a column per object: how many of the video's frames show it."""


class Recommendations(Table):
    """Ten rows per video (fewer in a smaller corpus): its nearest videos."""

    video_id: Series[str]
    rank: Series[int] = pa.Field(ge=1)
    recommended_video_id: Series[str]
    similarity: Series[float] = pa.Field(ge=-ROUNDING_LIMIT, le=ROUNDING_LIMIT)
    shared_objects: Series[str]
    """The objects that made the two alike, most first, comma-separated."""

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["video_id", "rank"]


class RecommendationReport(Table):
    """One row per recommender and choice of candidates: how good its lists are."""

    system: Series[str] = pa.Field(
        isin=["object_space", "embeddings", "probabilities", "raw_counts", "titles", "random"]
    )
    candidates: Series[str] = pa.Field(isin=["all", "other_groups"])
    """`other_groups`: without videos that share a photo, a source or an uploader with the one at hand."""
    neighbours: Series[int] = pa.Field(ge=1)
    """How many videos are recommended: the k of precision@k."""
    videos: Series[int] = pa.Field(ge=0)
    """How many videos could be judged: those with another of their category among the candidates."""
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT)
    map: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT)
    intra_list_diversity: Series[float] = pa.Field(nullable=True, ge=0, le=2)
    catalogue_coverage: Series[float] = pa.Field(nullable=True, ge=0, le=1)


class ImportanceReport(Table):
    """One row per formula of importance and choice of candidates: how good the recommendations would be with it."""

    detector: Series[str]
    importance: Series[str]
    candidates: Series[str] = pa.Field(isin=["all", "other_groups"])
    neighbours: Series[int] = pa.Field(ge=1)
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    ndcg: Series[float] = pa.Field(nullable=True, ge=0, le=ROUNDING_LIMIT)
