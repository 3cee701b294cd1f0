"""The project's models as MLflow serves them."""

from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel
from mlflow.types.type_hints import TypeFromExample

from video_recommender.mlflow_tracking import Recommends


class RecommenderModel(PythonModel):  # type: ignore[misc]  # MLflow's models have no types
    """A recommender: points in object space in, recommendations out."""

    def __init__(self, recommender: Recommends) -> None:
        self._recommender = recommender

    def predict(self, context: Any, model_input: TypeFromExample, params: Any = None) -> pd.DataFrame:
        """Name the nearest videos of each point."""
        return self._recommender.recommend(model_input)
