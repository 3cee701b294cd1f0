"""Tables of the ingestion stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class VideoManifest(Table):
    """One row per video file that the source gave, whether it can be used or not."""

    video_id: Series[str] = pa.Field(unique=True, str_matches=r"^[^/]+/[^/]+$")
    category: Series[str] = pa.Field(nullable=True)
    """Empty for videos that have none: they are predicted, never trained on."""
    status: Series[str]
    error: Series[str]
    duration_s: Series[float] = pa.Field(nullable=True, ge=0)
    fps: Series[float] = pa.Field(nullable=True, ge=0)
    width: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    height: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    sha256: Series[str] = pa.Field(nullable=True)
    source: Series[str]
    """Where it came from: the file's path, its URL, or the recipe's name."""
    title: Series[str]
    group: Series[str]
    """What must not straddle a split: videos of one group share a photo, a source or an uploader."""
    photos: Series[str]
    """The photos that a rendered clip shows, comma-separated; empty for other sources."""
    uploader: Series[str] = pa.Field(nullable=True)
    """This and what follows is what a site tells of a video that it publishes; empty for other sources."""
    upload_date: Series[pa.DateTime] = pa.Field(nullable=True)
    licence: Series[str] = pa.Field(nullable=True)
    webpage_url: Series[str] = pa.Field(nullable=True)
    view_count: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0)
    tags: Series[str] = pa.Field(nullable=True)
    """Comma-separated."""
    thumbnail: Series[str] = pa.Field(nullable=True)
    """URL of a picture of it."""


class DownloadReport(Table):
    """One row per category that is downloaded: how far it has come."""

    category: Series[str] = pa.Field(unique=True)
    target: Series[int] = pa.Field(ge=1)
    usable: Series[int] = pa.Field(ge=0)
    result: Series[str] = pa.Field(isin=["target reached", "sources exhausted"])
    not_usable: Series[str]
    """How many could not be used and why, such as `2 filtered, 1 unavailable`."""
