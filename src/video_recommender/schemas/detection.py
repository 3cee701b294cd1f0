"""Tables of the detection stage."""

import numpy as np
import pandera.pandas as pa
from pandera.typing import Index, Series

from .base import PartitionTable, StageManifest


class DetectionManifest(StageManifest):
    """One row per video with frames: what became of its detections."""


class Detections(PartitionTable):
    """One row per frame of one video: the most probable object in it."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True)
    class_name: Series[str]
    confidence: Series[np.float32] = pa.Field(ge=0, le=1)


class ClassScores(PartitionTable):
    """One row per object that one video may show: its mean probability over the frames."""

    class_name: Series[str] = pa.Field(unique=True)
    probability: Series[float] = pa.Field(ge=0, le=1)


class MeanEmbedding(PartitionTable):
    """One row per feature of the network: its mean over the frames of one video."""

    value: Series[np.float32]


class ClassEmbeddings(pa.DataFrameModel):
    """One row per class of the network, a column per feature: the class's weights in the last layer."""

    class_name: Index[str] = pa.Field(unique=True, check_name=True)
