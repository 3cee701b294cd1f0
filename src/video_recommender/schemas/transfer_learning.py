"""Tables of the transfer learning stage."""

import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class SkippedImages(Table):
    """One row per image that cannot be read."""

    image: Series[str] = pa.Field(unique=True, description="path of the photo, or video_id of the video")
    status: Series[str] = pa.Field(description="type of the error, such as unreadable or damaged")
    error: Series[str] = pa.Field(description="error message")


class TrainingImagePredictions(Table):
    """Predictions of training images by a head that was not trained on their group, one row per image."""

    image: Series[str] = pa.Field(unique=True, description="path: <class>/<group>/<name>/<number>.jpg")
    class_name: Series[str] = pa.Field(description="name of the labelled class")
    predicted_class: Series[str] = pa.Field(description="name of the most probable class")
    probability: Series[float] = pa.Field(ge=0, le=1, description="calibrated probability of that class, 0 to 1")
    probability_of_class: Series[float] = pa.Field(
        ge=0, le=1, description="calibrated probability of the labelled class, 0 to 1; if low, check the label"
    )
    fold: Series[int] = pa.Field(ge=1, description="number of the fold in which the image was held out, from 1")
