"""Tables of the detection stage."""

import numpy as np
import pandera.pandas as pa
from pandera.typing import Index, Series

from .table_models import PartitionTable, StageManifest


class DetectionManifest(StageManifest):
    """One row per video with frames: status of its detections."""


class Detections(PartitionTable):
    """One row per frame of one video."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True, description="number of the frame, from 1")
    class_name: Series[str] = pa.Field(description="most probable class")
    confidence: Series[np.float32] = pa.Field(ge=0, le=1, description="probability of that class, 0 to 1")


class ClassScores(PartitionTable):
    """One row per class of one video."""

    class_name: Series[str] = pa.Field(unique=True, description="class")
    probability: Series[float] = pa.Field(ge=0, le=1, description="mean probability over the frames, 0 to 1")


class MeanEmbedding(PartitionTable):
    """One row per feature of the network."""

    value: Series[np.float32] = pa.Field(description="mean over the frames of one video")


class ClassEmbeddings(pa.DataFrameModel):
    """One row per class of the network, a column per feature: the class's weights in the last layer."""

    class_name: Index[str] = pa.Field(unique=True, check_name=True)
