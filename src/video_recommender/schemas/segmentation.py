"""Tables of the segmentation stage."""

from typing import ClassVar

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import StageManifest, Table


class SegmentationManifest(StageManifest):
    """One row per video with frames: what became of its segmentation, and in how many frames it looked for objects."""


class Segmentations(Table):
    """One row per object and frame of one video: what it is, where, and how much of the picture it covers."""

    frame: Series[np.int64] = pa.Field(ge=1)
    object: Series[np.int64] = pa.Field(ge=1)
    """The object's number within the frame, from 1, the most certain first."""
    class_name: Series[str]
    confidence: Series[np.float32] = pa.Field(ge=0, le=1)
    area_pct: Series[np.float32] = pa.Field(ge=0, le=100)
    """Hundredths of the picture that the object's mask covers."""
    x_min: Series[np.int64] = pa.Field(ge=0)
    """This and what follows is its box, in pixels; the last row and column of pixels lie before y_max and x_max."""
    y_min: Series[np.int64] = pa.Field(ge=0)
    x_max: Series[np.int64] = pa.Field(ge=1)
    y_max: Series[np.int64] = pa.Field(ge=1)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["frame", "object"]


class SegmentationScores(Table):
    """One row per class that a segmenter has seen in one video, be it doubtfully."""

    class_name: Series[str] = pa.Field(unique=True)
    probability: Series[float] = pa.Field(ge=0, le=1)
    """The score of the most certain object of the class, its mean over the frames that were looked at."""
    area_pct: Series[float] = pa.Field(ge=0, le=100)
    """Hundredths of the picture that its objects cover, the mean over these frames."""
