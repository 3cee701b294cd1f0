"""Tables of the classification stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class CategoryPredictions(Table):
    """Predicted categories, one row per video."""

    video_id: Series[str] = pa.Field(unique=True, description="id of the video, `category/slug`")
    category: Series[str] = pa.Field(nullable=True, description="category of the video; empty if unlabelled")
    predicted_category: Series[str] = pa.Field(description="most probable category")
    probability: Series[float] = pa.Field(ge=0, le=1, description="probability of the predicted category, 0 to 1")
    fold: Series[pd.Int64Dtype] = pa.Field(
        nullable=True,
        ge=1,
        description="fold in which the video was held out, from 1; empty if the final classifier predicted it",
    )


class CategoryReport(Table):
    """Out-of-fold metrics, one row per category. Values are missing if there are too few videos to evaluate."""

    category: Series[str] = pa.Field(unique=True, description="name of the category")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="out-of-fold precision, 0 to 1")
    recall: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="out-of-fold recall, 0 to 1")
    f1: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="out-of-fold F1 score, 0 to 1")
    videos: Series[int] = pa.Field(ge=1, description="number of labelled videos of the category")
