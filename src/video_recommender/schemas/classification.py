"""Tables of the classification stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class CategoryPredictions(Table):
    """One row per video: the category that the classifier names, out of fold where the truth is known."""

    video_id: Series[str] = pa.Field(unique=True)
    category: Series[str] = pa.Field(nullable=True)
    predicted_category: Series[str]
    probability: Series[float] = pa.Field(ge=0, le=1)
    fold: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=1)


class CategoryReport(Table):
    """One row per category: how well it is named, empty where that could not be measured."""

    category: Series[str] = pa.Field(unique=True)
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    recall: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    f1: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    videos: Series[int] = pa.Field(ge=1)
