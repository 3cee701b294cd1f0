"""Base classes of the tables, and shared bounds."""

import pandera.pandas as pa
from pandera.typing import Index, Series

ROUNDING_LIMIT = 1.000001  # upper bound of shares and cosines, with a tolerance for rounding errors


class Table(pa.DataFrameModel):
    """A table with exactly the declared columns, whose values are converted to the declared types."""

    class Config:
        strict = True
        coerce = True


class PartitionTable(Table):
    """A table of one video. To save time, its columns are not converted to the declared types."""

    class Config:
        strict = True
        coerce = False


class VideoRows(pa.DataFrameModel):
    """A matrix with one row per video; its columns depend on the network or the corpus."""

    video_id: Index[str] = pa.Field(unique=True, check_name=True, description="identifier of the video")


class StageManifest(Table):
    """The status of a stage, one row per video."""

    video_id: Series[str] = pa.Field(unique=True, description="identifier of the video")
    status: Series[str] = pa.Field(description="`ok`, or the kind of error in one word")
    error: Series[str] = pa.Field(description="error message with the remedy; empty if the status is `ok`")
    frames: Series[int] = pa.Field(ge=0, description="number of frames")
    fingerprint: Series[str] = pa.Field(description="digest of what the outputs were made from")
