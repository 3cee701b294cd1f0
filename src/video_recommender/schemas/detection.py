"""Tables of the detection stage."""

import numpy as np
import pandera.pandas as pa
from pandera.typing import Index, Series

from .table_models import PartitionTable, StageManifest


class DetectionManifest(StageManifest):
    """Status of the detections, one row per video."""


class Detections(PartitionTable):
    """One row per frame of one video."""

    frame: Series[np.int64] = pa.Field(ge=1, unique=True, description="number of the frame in its video, from 1")
    class_name: Series[str] = pa.Field(description="name of the most probable class")
    confidence: Series[np.float32] = pa.Field(ge=0, le=1, description="probability of that class, 0 to 1")


class ClassScores(PartitionTable):
    """One row per class of one video."""

    class_name: Series[str] = pa.Field(unique=True, description="name of the class")
    probability: Series[float] = pa.Field(ge=0, le=1, description="mean probability over the frames, 0 to 1")


class MeanEmbedding(PartitionTable):
    """One row per feature of the embedding, in the order of the network's penultimate layer."""

    value: Series[np.float32] = pa.Field(description="mean activation over the frames of one video, no unit")


class ClassEmbeddings(pa.DataFrameModel):
    """One row per class, one float32 column per feature: the class's weights in the last layer, no unit."""

    class_name: Index[str] = pa.Field(unique=True, check_name=True, description="name of the class")
