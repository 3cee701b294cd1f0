"""Tables of the segmentation stage."""

from typing import ClassVar

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import StageManifest, Table


class SegmentationManifest(StageManifest):
    """Status of the segmentation and number of segmented frames, one row per video."""


class Segmentations(Table):
    """One row per accepted object in a frame of one video. Pixels count from the top left corner of the frame."""

    frame: Series[np.int64] = pa.Field(ge=1, description="number of the frame in its video, from 1")
    object: Series[np.int64] = pa.Field(ge=1, description="number of the object in its frame, from 1, by confidence")
    class_name: Series[str] = pa.Field(description="name of the object's class or group of classes")
    confidence: Series[np.float32] = pa.Field(ge=0, le=1, description="score of the detector, 0 to 1")
    area_pct: Series[np.float32] = pa.Field(
        ge=0, le=100, description="share of the frame that the object covers, percent"
    )
    x_min: Series[np.int64] = pa.Field(ge=0, description="left edge of the box, pixels")
    y_min: Series[np.int64] = pa.Field(ge=0, description="top edge of the box, pixels")
    x_max: Series[np.int64] = pa.Field(ge=1, description="right edge of the box, exclusive, pixels")
    y_max: Series[np.int64] = pa.Field(ge=1, description="bottom edge of the box, exclusive, pixels")

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["frame", "object"]


class SegmentationScores(Table):
    """One row per class detected in one video, including objects below the confidence threshold."""

    class_name: Series[str] = pa.Field(unique=True, description="name of the class or group of classes")
    probability: Series[float] = pa.Field(
        ge=0, le=1, description="highest score in a frame, mean over the segmented frames, 0 to 1"
    )
    area_pct: Series[float] = pa.Field(
        ge=0, le=100, description="share of the frame that its objects cover, mean over the segmented frames, percent"
    )
