"""Tables of the deduplication stage."""

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import PartitionTable, Table


class FrameHashes(PartitionTable):
    """One row per frame of one video, with its perceptual hashes (pHash), without frames of low contrast."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True, description="number of the frame, from 1")
    zoom_100: Series[np.uint64] = pa.Field(description="hash of the whole frame, 64 bits")
    zoom_95: Series[np.uint64] = pa.Field(description="hash of the central 95 % of width and height, 64 bits")
    zoom_90: Series[np.uint64] = pa.Field(description="hash of the central 90 %, 64 bits")
    zoom_85: Series[np.uint64] = pa.Field(description="hash of the central 85 %, 64 bits")
    zoom_80: Series[np.uint64] = pa.Field(description="hash of the central 80 %, 64 bits")


class NearDuplicates(Table):
    """Near duplicates (copies, cropped copies and excerpts of other videos), one row per near duplicate."""

    video_id: Series[str] = pa.Field(unique=True, description="identifier of the near duplicate")
    repeats: Series[str] = pa.Field(description="identifier of its original, which is not a near duplicate")
    matched_share: Series[float] = pa.Field(
        ge=0, le=1, description="share of the shorter video's frames that match the other video, 0 to 1"
    )
    offset_s: Series[float] = pa.Field(description="start of the near duplicate in the original, seconds")


class Corpus(Table):
    """One row per usable video."""

    video_id: Series[str] = pa.Field(unique=True, description="identifier of the video")
    category: Series[str] = pa.Field(nullable=True, description="category; missing if it has to be predicted")
    group: Series[str] = pa.Field(
        description="group, never split across folds; a near duplicate has the group of its original"
    )
    title: Series[str] = pa.Field(description="title on one line")
    repeats: Series[str] = pa.Field(nullable=True, description="original of a near duplicate; missing for others")
    is_used: Series[bool] = pa.Field(
        description="false for excluded near duplicates, which are not trained on or recommended"
    )
