"""Tables of the ingestion stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class VideoManifest(Table):
    """One row per video of the source, usable or not. Columns from `uploader` on are published by the site."""

    video_id: Series[str] = pa.Field(unique=True, str_matches=r"^[^/]+/[^/]+$", description="`<category>/<slug>`")
    category: Series[str] = pa.Field(nullable=True, description="category; missing for unlabelled videos")
    status: Series[str] = pa.Field(description="`ok`, or the kind of problem in one word")
    error: Series[str] = pa.Field(description="what is wrong and what to do; empty if the status is `ok`")
    duration_s: Series[float] = pa.Field(nullable=True, ge=0, description="duration, seconds")
    fps: Series[float] = pa.Field(nullable=True, ge=0, description="mean frame rate, frames per second")
    width: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1, description="width as displayed, pixels")
    height: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1, description="height as displayed, pixels")
    sha256: Series[str] = pa.Field(nullable=True, description="SHA-256 of the file, hexadecimal")
    source: Series[str] = pa.Field(description="path or URL; for rendered clips, the name of the source")
    title: Series[str] = pa.Field(description="title, one line")
    group: Series[str] = pa.Field(
        description="videos of a group share photos, footage or uploader, and stay in one fold"
    )
    photos: Series[str] = pa.Field(description="photos of a rendered clip, comma-separated file names; else empty")
    uploader: Series[str] = pa.Field(nullable=True, description="name of the account")
    upload_date: Series[pa.DateTime] = pa.Field(nullable=True, description="day of the upload")
    licence: Series[str] = pa.Field(nullable=True, description="licence, in the words of the site")
    webpage_url: Series[str] = pa.Field(nullable=True, description="URL of the page of the video")
    view_count: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0, description="number of views")
    tags: Series[str] = pa.Field(nullable=True, description="tags, comma-separated")
    thumbnail: Series[str] = pa.Field(nullable=True, description="URL of an image")


class DownloadReport(Table):
    """One row per category that is downloaded."""

    category: Series[str] = pa.Field(unique=True, description="category")
    target: Series[int] = pa.Field(ge=1, description="number of usable videos to download")
    usable: Series[int] = pa.Field(ge=0, description="number of usable videos downloaded so far")
    result: Series[str] = pa.Field(
        isin=["target reached", "sources exhausted"], description="reason why the downloads ended"
    )
    not_usable: Series[str] = pa.Field(description="number of other videos per status: `2 filtered, 1 unavailable`")
