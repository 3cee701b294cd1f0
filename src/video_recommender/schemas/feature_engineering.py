"""Tables of the feature engineering stage."""

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import VideoRows


class VideoFeatures(VideoRows):
    """Importance of objects: a row per video, a column per object."""

    @pa.dataframe_check
    @classmethod
    def importances_are_finite_and_not_negative(cls, table: pd.DataFrame) -> bool:
        """Check that every importance is finite and not negative."""
        values = table.to_numpy()
        return not values.size or bool(values.min() >= 0 and values.max() < float("inf"))


class VideoPoints(VideoRows):
    """Points in object space, of unit length: a row per video, a column per axis."""


class SpaceMap(VideoRows):
    """Points of a two-dimensional projection of object space; only neighbourhoods are meaningful."""

    x: Series[np.float32] = pa.Field(description="First coordinate, without a unit.")
    y: Series[np.float32] = pa.Field(description="Second coordinate, without a unit.")

    class Config:
        strict = True
