"""Tables of the feature engineering stage."""

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import VideoRows


class VideoFeatures(VideoRows):
    """One row per video, one float32 column per object: the importance of the object in the video, no unit."""

    @pa.dataframe_check
    @classmethod
    def importances_are_finite_and_not_negative(cls, table: pd.DataFrame) -> bool:
        """Check that every importance is finite and not negative."""
        values = table.to_numpy()
        return not values.size or bool(values.min() >= 0 and values.max() < float("inf"))


class VideoPoints(VideoRows):
    """One row per video, one float32 column per axis of object space: a vector of length 1, or 0 without objects."""


class SpaceMap(VideoRows):
    """Positions in a two-dimensional projection of object space, one row per video."""

    x: Series[np.float32] = pa.Field(description="first coordinate, no unit; only distances to close videos matter")
    y: Series[np.float32] = pa.Field(description="second coordinate, no unit")

    class Config:
        strict = True
