"""Tables of the feature engineering stage."""

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import VideoRows


class VideoFeatures(VideoRows):
    """One row per video, a column per object: the object's importance in the video."""

    @pa.dataframe_check
    @classmethod
    def importances_are_finite_and_not_negative(cls, table: pd.DataFrame) -> bool:
        """Every importance is a finite number from 0."""
        values = table.to_numpy()
        return not values.size or bool(values.min() >= 0 and values.max() < float("inf"))


class VideoPoints(VideoRows):
    """One row per video, a column per axis: its point in object space, of unit length."""


class SpaceMap(VideoRows):
    """One row per video: where it lies on a map of object space. Only who lies near whom means something."""

    x: Series[np.float32]
    y: Series[np.float32]

    class Config:
        strict = True
