"""Base classes and shared bounds of the tables."""

import pandera.pandas as pa
from pandera.typing import Index, Series

ROUNDING_LIMIT = 1.000001  # upper bound of a share or cosine, with room for rounding errors of sums


class Table(pa.DataFrameModel):
    """A table with exactly these columns, converted to their types."""

    class Config:
        strict = True
        coerce = True


class PartitionTable(Table):
    """The table of one video; its columns are not converted, which would double the time of the validation."""

    class Config:
        strict = True
        coerce = False


class VideoRows(pa.DataFrameModel):
    """A matrix whose columns depend on the network or the corpus."""

    video_id: Index[str] = pa.Field(unique=True, check_name=True, description="video")


class StageManifest(Table):
    """One row per video of a stage."""

    video_id: Series[str] = pa.Field(unique=True, description="video")
    status: Series[str] = pa.Field(description="`ok`, or the kind of problem in one word")
    error: Series[str] = pa.Field(description="what is wrong and what to do; empty if the status is `ok`")
    frames: Series[int] = pa.Field(ge=0, description="number of frames")
    fingerprint: Series[str] = pa.Field(description="digest of the result; empty if there is none")
