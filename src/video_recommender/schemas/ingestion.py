"""Tables of the ingestion stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class VideoManifest(Table):
    """One row per video of the source, usable or not."""

    video_id: Series[str] = pa.Field(unique=True, str_matches=r"^[^/]+/[^/]+$")
    """`<category>/<slug>`."""
    category: Series[str] = pa.Field(nullable=True)
    """Missing for unlabelled videos, which are predicted but not trained on."""
    status: Series[str]
    """`ok`, or the kind of problem in one word."""
    error: Series[str]
    """What is wrong and what to do; empty if the status is `ok`."""
    duration_s: Series[float] = pa.Field(nullable=True, ge=0)
    """Seconds."""
    fps: Series[float] = pa.Field(nullable=True, ge=0)
    """Mean frame rate, frames per second."""
    width: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    """Pixels, as displayed."""
    height: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)
    """Pixels, as displayed."""
    sha256: Series[str] = pa.Field(nullable=True)
    """Digest of the file, hexadecimal."""
    source: Series[str]
    """Path or URL of the video, or the name of the source of a rendered clip."""
    title: Series[str]
    """One line."""
    group: Series[str]
    """Videos of a group share a photo, a source or an uploader, and must stay in one fold."""
    photos: Series[str]
    """File names of the photos that a rendered clip shows, comma-separated; empty for other sources."""
    uploader: Series[str] = pa.Field(nullable=True)
    """Name of the account. This and the following columns are as published by a site; missing for other sources."""
    upload_date: Series[pa.DateTime] = pa.Field(nullable=True)
    """Day."""
    licence: Series[str] = pa.Field(nullable=True)
    """In the site's own words."""
    webpage_url: Series[str] = pa.Field(nullable=True)
    """Page of the video."""
    view_count: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0)
    """Number of views."""
    tags: Series[str] = pa.Field(nullable=True)
    """Comma-separated."""
    thumbnail: Series[str] = pa.Field(nullable=True)
    """URL of an image."""


class DownloadReport(Table):
    """One row per category that is downloaded."""

    category: Series[str] = pa.Field(unique=True)
    """Name of the category."""
    target: Series[int] = pa.Field(ge=1)
    """Number of usable videos that the category needs."""
    usable: Series[int] = pa.Field(ge=0)
    """Number of usable videos that were downloaded."""
    result: Series[str] = pa.Field(isin=["target reached", "sources exhausted"])
    """Why the downloads ended."""
    not_usable: Series[str]
    """Number of other videos per status, such as `2 filtered, 1 unavailable`."""
