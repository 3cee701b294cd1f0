"""Base classes of the tables, and bounds that several of them use."""

import pandera.pandas as pa
from pandera.typing import Index, Series

ROUNDING_LIMIT = 1.000001  # upper bound of a share or cosine, with room for rounding errors of sums


class Table(pa.DataFrameModel):
    """A table with exactly these columns, whose values are converted to their types."""

    class Config:
        strict = True
        coerce = True


class PartitionTable(Table):
    """The table of one video. Its columns are not converted, because that takes as long as the validation."""

    class Config:
        strict = True
        coerce = False


class VideoRows(pa.DataFrameModel):
    """A matrix whose columns depend on the network or the corpus."""

    video_id: Index[str] = pa.Field(unique=True, check_name=True)


class StageManifest(Table):
    """One row per video of a stage."""

    video_id: Series[str] = pa.Field(unique=True)
    status: Series[str]
    error: Series[str]
    frames: Series[int] = pa.Field(ge=0)
    fingerprint: Series[str]
