"""Models that predict a video's category from its point in object space, fitted to a corpus of any size."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from video_recommender.schemas import VideoPoints

CandidateName = Literal["nearest_neighbours", "logistic_regression", "linear_svm", "random_forest"]
ModelName = CandidateName | Literal["majority"]

CategoryModel: TypeAlias = Pipeline
"""A fitted scikit-learn pipeline from points to categories, with `predict`, `predict_proba` and `classes_`."""

MAJORITY: Literal["majority"] = "majority"
"""The baseline: always predicts the most frequent category."""

UNKNOWN_CATEGORY: Final = "unknown"
"""Predicted for every video if no video has a category."""

NEIGHBOURS: Final = 10
CALIBRATION_FOLDS: Final = 3

INVERSE_REGULARISATION: Final = 0.01
"""A hundredth of scikit-learn's: there are often more axes (1280) than videos, and weak regularisation would make every
probability 0 or 1. The penalty is weighed against the loss of all videos together, so that more videos weaken it and
slow convergence down. Above `MANY_VIDEOS` it is divided by their number, which keeps the penalty per video."""

MANY_VIDEOS: Final = 20_000
"""Above this number of videos, logistic regression keeps the penalty per video and stops at `COARSE_TOLERANCE`: the
time of a step is proportional to the number of videos, so the number of steps must not grow too."""

TOLERANCE: Final = 1e-4
COARSE_TOLERANCE: Final = 1e-3
"""Gradient of the mean loss at which training stops. The coarse one needs a quarter of the steps; the difference is
smaller than that between two samples of videos."""

MAX_VIDEOS: Final[Mapping[CandidateName, int]] = {"linear_svm": 3000}
"""Above this number of videos, comparing the candidate takes minutes where logistic regression takes seconds and is as
good."""

FITTED_TO_SAMPLE: Final[frozenset[ModelName]] = frozenset({"nearest_neighbours", "linear_svm"})
"""Models that take quadratic time to fit or to predict, so that they are fitted to a sample of a large corpus."""

MIN_COORDINATES_FOR_THREADS: Final = 10_000_000
"""With fewer coordinates, threads of BLAS and OpenMP wait for each other more than they work."""


class ClassificationOptions(BaseModel):
    """Options of the category classifier (parameters_classification.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: Annotated[tuple[CandidateName, ...], Field(min_length=1)] = (
        "nearest_neighbours",
        "logistic_regression",
        "linear_svm",
    )
    folds: Annotated[int, Field(ge=2)] = 5


def can_fit(name: ModelName, categories: pd.Series) -> bool:
    """Return whether a model can be fitted to videos of these categories.

    The probabilities of a linear SVM are calibrated on held-out videos, so it needs two videos of each category.
    """
    return name != "linear_svm" or bool(categories.value_counts().min() > 1)


def fit_category_model(
    name: ModelName, points: DataFrame[VideoPoints], categories: pd.Series, seed: int
) -> CategoryModel:
    """Fit one model.

    Args:
        name: the model; irrelevant if there is only one category.
        points: float32, shape (videos, axes).
        categories: of the same videos; may be empty, then the model predicts `unknown`.
        seed: random seed.

    Raises:
        ValueError: if there are too few videos (see `can_fit`).
    """
    if categories.empty:
        placeholder = pd.DataFrame(np.zeros((1, points.shape[1]), np.float32), columns=points.columns)
        return Pipeline([("classify", DummyClassifier())]).fit(placeholder, [UNKNOWN_CATEGORY])
    if not can_fit(name, categories):
        raise ValueError(f"{name} needs two videos of every category: add videos or choose another candidate")
    labels = categories.to_numpy(dtype=object)
    model = name if len(set(labels)) > 1 else MAJORITY
    with _limited_threads(points):
        return _unfitted(model, categories, seed).fit(points, labels)


def predict_with_probability(model: CategoryModel, points: DataFrame[VideoPoints]) -> pd.DataFrame:
    """Predict the most probable category of each video.

    Returns:
        Index as in `points`; `predicted_category` and its `probability`.
    """
    if points.empty:
        return pd.DataFrame({"predicted_category": [], "probability": []}, index=points.index)
    with _limited_threads(points):
        probabilities: NDArray[np.float64] = model.predict_proba(points)
    return pd.DataFrame(
        {
            "predicted_category": model.classes_[probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1).clip(0, 1),
        },
        index=points.index,
    )


def _unfitted(name: ModelName, categories: pd.Series, seed: int) -> CategoryModel:
    # standardised axes make logistic regression converge faster; the other models need the scale of the cosine
    scaler = StandardScaler() if name == "logistic_regression" else "passthrough"
    return Pipeline([("scale", scaler), ("classify", _classifier(name, categories, seed))])


def _classifier(name: ModelName, categories: pd.Series, seed: int) -> ClassifierMixin:
    videos = len(categories)
    match name:
        case "majority":
            return DummyClassifier(strategy="most_frequent")
        case "nearest_neighbours":
            return KNeighborsClassifier(min(NEIGHBOURS, videos), weights="distance")
        case "logistic_regression":
            return LogisticRegression(
                C=INVERSE_REGULARISATION * min(1, MANY_VIDEOS / videos),
                tol=COARSE_TOLERANCE if videos > MANY_VIDEOS else TOLERANCE,
                max_iter=1000,
                random_state=seed,
            )
        case "linear_svm":
            folds = min(CALIBRATION_FOLDS, categories.value_counts().min())
            return CalibratedClassifierCV(LinearSVC(random_state=seed), cv=folds, ensemble=False)
        case "random_forest":
            return RandomForestClassifier(random_state=seed)


def _limited_threads(points: pd.DataFrame) -> threadpool_limits:
    return threadpool_limits(1 if points.size < MIN_COORDINATES_FOR_THREADS else None)
