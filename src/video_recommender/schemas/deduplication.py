"""Tables of the deduplication stage."""

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import PartitionTable, Table


class FrameHashes(PartitionTable):
    """Perceptual hashes of the frames of one video, without frames of low contrast."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True, description="number of the frame, from 1")
    zoom_100: Series[np.uint64] = pa.Field(description="perceptual hash of the whole frame, 64 bits")
    zoom_95: Series[np.uint64] = pa.Field(description="hash of the central 95 % of width and height")
    zoom_90: Series[np.uint64] = pa.Field(description="hash of the central 90 %")
    zoom_85: Series[np.uint64] = pa.Field(description="hash of the central 85 %")
    zoom_80: Series[np.uint64] = pa.Field(description="hash of the central 80 %")


class NearDuplicates(Table):
    """Videos that are a copy, a cropped copy or an excerpt of another one."""

    video_id: Series[str] = pa.Field(unique=True, description="the near duplicate")
    repeats: Series[str] = pa.Field(description="its original, which is not a near duplicate itself")
    matched_share: Series[float] = pa.Field(
        ge=0, le=1, description="share of the frames of the shorter video that match the other one, 0 to 1"
    )
    offset_s: Series[float] = pa.Field(description="start in the original, seconds")


class Corpus(Table):
    """Usable videos, with their groups."""

    video_id: Series[str] = pa.Field(unique=True, description="video")
    category: Series[str] = pa.Field(nullable=True, description="category; missing if unknown")
    group: Series[str] = pa.Field(
        description="videos of a group stay in one fold; a near duplicate has the group of its original"
    )
    title: Series[str] = pa.Field(description="title")
    repeats: Series[str] = pa.Field(nullable=True, description="original of a near duplicate; missing for others")
    is_used: Series[bool] = pa.Field(
        description="false for excluded near duplicates, which are neither trained on nor recommended"
    )
