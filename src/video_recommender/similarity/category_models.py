"""The models that may learn to name a video's category, and how one is fitted to any corpus, however small."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
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
"""The baseline: always names the most frequent category."""

UNKNOWN_CATEGORY = "unknown"
"""What every video is called where no video has a category."""

NEIGHBOURS = 10
CALIBRATION_FOLDS = 3

INVERSE_REGULARISATION = 0.01
"""A hundredth of scikit-learn's: there are often more axes (1280) than videos to learn from, and weak regularisation
would make every probability 0 or 1.

It weighs the losses of all videos against one penalty: the more videos there are, the less the penalty rounds off the
loss, and the more steps it takes to learn. So from `MANY_VIDEOS` on it falls, and the penalty per video stays."""

MANY_VIDEOS: Final = 20_000
"""With more videos than this to learn from, logistic regression is regularised as if there were so many, and stops at
`COARSE_TOLERANCE`: each step takes as long as there are videos, so their number must not grow, too."""

TOLERANCE: Final = 1e-4
COARSE_TOLERANCE: Final = 1e-3
"""Slopes of the mean loss at which learning stops. The coarse one takes a quarter of the steps, and what it leaves out
is less than what other videos to learn from would change."""

SLOW_TO_LEARN: Final[Mapping[CandidateName, int]] = {"linear_svm": 3000}
"""With more videos than this, to compare it takes minutes where logistic regression takes seconds and is as good."""

LEARNS_FROM_A_SAMPLE: Final[frozenset[ModelName]] = frozenset({"nearest_neighbours", "linear_svm"})
"""What would take quadratic time, to learn or to name the categories of all videos, if it learnt from all of them."""

COORDINATES_FOR_THREADS = 10_000_000
"""Below this many coordinates, threads of BLAS and OpenMP wait for each other more than they work."""


class ClassificationOptions(BaseModel):
    """How the category classifier is chosen (parameters_classification.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    candidates: Annotated[tuple[CandidateName, ...], Field(min_length=1)] = (
        "nearest_neighbours",
        "logistic_regression",
        "linear_svm",
    )
    folds: Annotated[int, Field(ge=2)] = 5
    compared_videos: PositiveInt = 20_000
    seed: Annotated[int, Field(ge=0)] = 0


def can_learn(name: ModelName, categories: pd.Series) -> bool:
    """Whether a model can be fitted to videos of these categories.

    A linear SVM has no probabilities of its own; they are calibrated on held-out videos of each category.
    """
    return name != "linear_svm" or bool(categories.value_counts().min() > 1)


def fit_category_model(
    name: ModelName, points: DataFrame[VideoPoints], categories: pd.Series, seed: int
) -> CategoryModel:
    """Fit one model.

    Args:
        name: which model; it makes no difference where there is but one category to name.
        points: float32, shape (videos, axes).
        categories: of the same videos, in the same order; may be empty.
        seed: of whatever is random in the model.

    Returns:
        The fitted model. Without any categories it calls every video `unknown`.

    Raises:
        ValueError: if the model cannot learn from so few videos (see `can_learn`).
    """
    if categories.empty:
        nowhere = pd.DataFrame(np.zeros((1, points.shape[1]), np.float32), columns=points.columns)
        return Pipeline([("classify", DummyClassifier())]).fit(nowhere, [UNKNOWN_CATEGORY])
    if not can_learn(name, categories):
        raise ValueError(f"{name} needs two videos of every category: add videos or name another candidate")
    known = categories.to_numpy(dtype=object)
    model = name if len(set(known)) > 1 else MAJORITY
    with _threads_for(points):
        return _unfitted(model, categories, seed).fit(points, known)


def name_categories(model: CategoryModel, points: DataFrame[VideoPoints]) -> pd.DataFrame:
    """Name the most probable category of each video.

    Args:
        model: fitted.
        points: float32, shape (videos, axes).

    Returns:
        Index as in `points`; `predicted_category`, and its `probability`.
    """
    if points.empty:
        return pd.DataFrame({"predicted_category": [], "probability": []}, index=points.index)
    with _threads_for(points):
        probabilities: NDArray[np.float64] = model.predict_proba(points)
    best = probabilities.argmax(axis=1)
    return pd.DataFrame(
        {"predicted_category": model.classes_[best], "probability": probabilities.max(axis=1).clip(0, 1)},
        index=points.index,
    )


def _unfitted(name: ModelName, categories: pd.Series, seed: int) -> CategoryModel:
    return Pipeline([("scale", _scaler(name)), ("classify", _classifier(name, categories, seed))])


def _scaler(name: ModelName) -> StandardScaler | Literal["passthrough"]:
    """Logistic regression converges several times faster on standardised axes; the others keep the cosine's scale."""
    return StandardScaler() if name == "logistic_regression" else "passthrough"


def _classifier(name: ModelName, categories: pd.Series, seed: int) -> ClassifierMixin:
    match name:
        case "majority":
            return DummyClassifier(strategy="most_frequent")
        case "nearest_neighbours":
            return KNeighborsClassifier(min(NEIGHBOURS, len(categories)), weights="distance")
        case "logistic_regression":
            return _logistic_regression(len(categories), seed)
        case "linear_svm":
            folds = min(CALIBRATION_FOLDS, categories.value_counts().min())
            return CalibratedClassifierCV(LinearSVC(random_state=seed), cv=folds, ensemble=False)
        case "random_forest":
            return RandomForestClassifier(random_state=seed)


def _logistic_regression(videos: int, seed: int) -> LogisticRegression:
    return LogisticRegression(
        C=INVERSE_REGULARISATION * min(1, MANY_VIDEOS / videos),
        tol=COARSE_TOLERANCE if videos > MANY_VIDEOS else TOLERANCE,
        max_iter=1000,
        random_state=seed,
    )


def _threads_for(points: pd.DataFrame) -> threadpool_limits:
    return threadpool_limits(1 if points.size < COORDINATES_FOR_THREADS else None)
