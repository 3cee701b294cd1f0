"""Tables of the ingestion stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class VideoManifest(Table):
    """One row per video of the source, usable or not.

    The columns from `uploader` on contain data published by a site; they are missing unless the source is `web`.
    """

    video_id: Series[str] = pa.Field(
        unique=True, str_matches=r"^[^/]+/[^/]+$", description="identifier, `<category>/<name>` in lower-case ASCII"
    )
    category: Series[str] = pa.Field(nullable=True, description="category; missing if it has to be predicted")
    status: Series[str] = pa.Field(description="`ok`, or the kind of error in one word")
    error: Series[str] = pa.Field(description="error message with the remedy; empty if the status is `ok`")
    duration_s: Series[float] = pa.Field(nullable=True, ge=0, description="duration, seconds")
    fps: Series[float] = pa.Field(nullable=True, ge=0, description="mean frame rate, frames per second")
    width: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1, description="displayed width, pixels")
    height: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1, description="displayed height, pixels")
    sha256: Series[str] = pa.Field(nullable=True, description="SHA-256 digest of the file, hexadecimal")
    source: Series[str] = pa.Field(description="path or URL of the video; `demo` or `photos` for rendered clips")
    title: Series[str] = pa.Field(description="title on one line")
    group: Series[str] = pa.Field(description="group; videos of one group are never split across folds")
    photos: Series[str] = pa.Field(description="photo file names of a rendered clip, comma-separated; or empty")
    uploader: Series[str] = pa.Field(nullable=True, description="name of the account")
    upload_date: Series[pa.DateTime] = pa.Field(nullable=True, description="upload date")
    licence: Series[str] = pa.Field(nullable=True, description="licence as published by the site")
    webpage_url: Series[str] = pa.Field(nullable=True, description="URL of the video's page")
    view_count: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0, description="number of views")
    tags: Series[str] = pa.Field(nullable=True, description="tags, comma-separated")
    thumbnail: Series[str] = pa.Field(nullable=True, description="URL of the thumbnail")


class DownloadReport(Table):
    """One row per category of the web source."""

    category: Series[str] = pa.Field(unique=True, description="category")
    target: Series[int] = pa.Field(ge=1, description="target number of usable videos")
    usable: Series[int] = pa.Field(ge=0, description="number of usable videos")
    result: Series[str] = pa.Field(
        isin=["target reached", "sources exhausted"], description="reason why the downloads ended"
    )
    not_usable: Series[str] = pa.Field(
        description="number of other videos per status, such as `2 filtered, 1 unavailable`"
    )
