"""What all tables have in common, and bounds that several share."""

import pandera.pandas as pa
from pandera.typing import Index, Series

ROUNDING_LIMIT = 1.000001
"""Upper bound of a share or cosine, with room for rounding errors of sums."""


class Table(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = True


class PartitionTable(Table):
    """One of thousands: its columns have the right types already, and to convert them takes as long as the checks."""

    class Config:
        strict = True
        coerce = False


class VideoRows(pa.DataFrameModel):
    """A matrix: which columns it has depends on the network or the corpus."""

    video_id: Index[str] = pa.Field(unique=True, check_name=True)


class StageManifest(Table):
    video_id: Series[str] = pa.Field(unique=True)
    status: Series[str]
    error: Series[str]
    frames: Series[int] = pa.Field(ge=0)
    fingerprint: Series[str]
