"""Tables of the detection, segmentation and transfer learning stages."""

from typing import ClassVar

import numpy as np
import pandera.pandas as pa
from pandera.typing import Index, Series

from .table_models import PartitionTable, StageManifest, Table


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


class SegmentationManifest(StageManifest):
    """One row per video with frames: status of its segmentation, and the number of segmented frames."""


class Segmentations(Table):
    """One row per object and frame of one video."""

    frame: Series[np.int64] = pa.Field(ge=1, description="number of the frame, from 1")
    object: Series[np.int64] = pa.Field(ge=1, description="number of the object in the frame, from 1, by confidence")
    class_name: Series[str] = pa.Field(description="class of the object")
    confidence: Series[np.float32] = pa.Field(ge=0, le=1, description="score of the detector, 0 to 1")
    area_pct: Series[np.float32] = pa.Field(
        ge=0, le=100, description="share of the picture that the mask covers, percent"
    )
    x_min: Series[np.int64] = pa.Field(ge=0, description="left edge of the box, pixels")
    y_min: Series[np.int64] = pa.Field(ge=0, description="top edge of the box, pixels")
    x_max: Series[np.int64] = pa.Field(ge=1, description="right edge of the box, pixels, exclusive")
    y_max: Series[np.int64] = pa.Field(ge=1, description="bottom edge of the box, pixels, exclusive")

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["frame", "object"]


class SegmentationScores(Table):
    """One row per class detected in one video, objects below the confidence threshold included."""

    class_name: Series[str] = pa.Field(unique=True, description="class of the objects")
    probability: Series[float] = pa.Field(
        ge=0, le=1, description="highest score in a frame, averaged over the segmented frames, 0 to 1"
    )
    area_pct: Series[float] = pa.Field(
        ge=0, le=100, description="share of the picture that its objects cover, averaged over the frames, percent"
    )


class SkippedImages(Table):
    """One row per image that cannot be read."""

    image: Series[str] = pa.Field(unique=True, description="path of the photo, or video_id")
    status: Series[str] = pa.Field(description="kind of the problem")
    error: Series[str] = pa.Field(description="what is wrong and what to do")


class TrainingImagePredictions(Table):
    """One row per training image: the prediction of the head that was not trained on its group."""

    image: Series[str] = pa.Field(unique=True, description="<class>/<group>/<name>/<number>.jpg")
    class_name: Series[str] = pa.Field(description="label")
    predicted_class: Series[str] = pa.Field(description="most probable class")
    probability: Series[float] = pa.Field(ge=0, le=1, description="calibrated, of the predicted class, 0 to 1")
    probability_of_class: Series[float] = pa.Field(
        ge=0, le=1, description="calibrated, of the label, 0 to 1; if small, the label may be wrong"
    )
    fold: Series[int] = pa.Field(ge=1, description="number of the fold in which the image was held out, from 1")
