"""Tables of the deduplication stage."""

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import PartitionTable, Table


class FrameHashes(PartitionTable):
    """One row per frame of one video that is not blank: its perceptual hash, whole and with its edges cut off."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True)
    time_s: Series[float] = pa.Field(ge=0)
    zoom_100: Series[np.uint64]
    """The hash of all of it; of the other columns, that of so many hundredths of width and height at the centre."""
    zoom_95: Series[np.uint64]
    zoom_90: Series[np.uint64]
    zoom_85: Series[np.uint64]
    zoom_80: Series[np.uint64]


class NearDuplicates(Table):
    """One row per video that repeats another one: a copy in another size or encoding, a crop or a part of it."""

    video_id: Series[str] = pa.Field(unique=True)
    repeats: Series[str]
    """The video that it repeats, which is none of these itself."""
    matched_share: Series[float] = pa.Field(ge=0, le=1)
    """How much of the video is found in the other one."""
    offset_s: Series[float]
    """Where in the other one it begins, in seconds."""


class Corpus(Table):
    """One row per usable video: which of them count, and which belong together."""

    video_id: Series[str] = pa.Field(unique=True)
    category: Series[str] = pa.Field(nullable=True)
    group: Series[str]
    """What must not straddle a split: as in the manifest, but a video and its copies are always of one group."""
    title: Series[str]
    repeats: Series[str] = pa.Field(nullable=True)
    """The video of which this is a near duplicate."""
    is_used: Series[bool]
    """Near duplicates that are kept out are neither trained on nor recommended."""
