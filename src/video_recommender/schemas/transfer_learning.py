"""Tables of the transfer learning pipeline."""

import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class SkippedImages(Table):
    """One row per image that cannot be learnt from."""

    image: Series[str] = pa.Field(unique=True)
    """Its path, or the video that it is from."""
    status: Series[str]
    error: Series[str]


class TrainingImagePredictions(Table):
    """One row per training image: what it is taken for by a head that has learnt nothing of its group."""

    image: Series[str] = pa.Field(unique=True)
    class_name: Series[str]
    predicted_class: Series[str]
    probability: Series[float] = pa.Field(ge=0, le=1)
    """That of the predicted class, calibrated."""
    probability_of_class: Series[float] = pa.Field(ge=0, le=1)
    """That of the class which the image is said to show; a small one may mean a wrong label."""
    fold: Series[int] = pa.Field(ge=1)
