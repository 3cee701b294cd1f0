"""Tables of the classification stage."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import Table


class CategoryPredictions(Table):
    """Predicted category of each video."""

    video_id: Series[str] = pa.Field(unique=True, description="The video.")
    category: Series[str] = pa.Field(nullable=True, description="Its category; empty if unknown.")
    predicted_category: Series[str] = pa.Field(description="The most probable category.")
    probability: Series[float] = pa.Field(ge=0, le=1, description="Probability of that category.")
    fold: Series[pd.Int64Dtype] = pa.Field(
        nullable=True,
        ge=1,
        description="Fold in which the video was held out; empty if the trained classifier predicted it.",
    )


class CategoryReport(Table):
    """Metrics of each category; empty if they could not be measured."""

    category: Series[str] = pa.Field(unique=True, description="The category.")
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Out-of-fold precision.")
    recall: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Out-of-fold recall.")
    f1: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="Out-of-fold F1 score.")
    videos: Series[int] = pa.Field(ge=1, description="Number of videos in the category.")
