"""Models that predict a video's category from its point in object space, and their comparison by cross-validation."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, Field
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from video_recommender.schemas import Corpus, VideoPoints

CandidateName = Literal["nearest_neighbours", "logistic_regression", "linear_svm", "random_forest"]
ModelName = CandidateName | Literal["majority"]

CategoryModel: TypeAlias = Pipeline
"""A fitted scikit-learn pipeline from points to categories, with `predict`, `predict_proba` and `classes_`."""

Folds = NDArray[np.int64]  # the fold in which each video is held out, from 1; all zero if nothing can be measured

MAJORITY: Literal["majority"] = "majority"  # the baseline: always predicts the most frequent category
UNKNOWN_CATEGORY: Final = "unknown"  # predicted for every video if no video has a category
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
MIN_GROUPS: Final = 2  # groups of each category in a sample: one to train on while the other is held out

logger = logging.getLogger(__name__)


class ClassificationOptions(BaseModel, extra="forbid", frozen=True):
    """Options of the category classifier (parameters_classification.yml)."""

    candidates: Annotated[tuple[CandidateName, ...], Field(min_length=1)] = (
        "nearest_neighbours",
        "logistic_regression",
        "linear_svm",
    )
    folds: Annotated[int, Field(ge=2)] = 5


@dataclass(frozen=True)
class LabelledVideos:
    """Videos with a category; all tables have the index `video_id`, and videos of one group are held out together."""

    points: DataFrame[VideoPoints]
    categories: pd.Series
    groups: pd.Series

    def __len__(self) -> int:
        return len(self.categories)


@dataclass(frozen=True)
class CandidateComparison:
    """Out-of-fold predictions of each candidate.

    Attributes:
        predictions: a row per model (with the majority baseline) and labelled video: `model`, `video_id`, `category`,
            `predicted_category`, `probability`, `fold`. Empty if nothing can be measured.
        chosen: the model with the highest macro-averaged F1.
    """

    predictions: pd.DataFrame
    chosen: ModelName

    @property
    def predictions_of_chosen(self) -> pd.DataFrame:
        """The rows of the chosen model."""
        return self.predictions[self.predictions["model"] == self.chosen]


def can_fit(name: ModelName, categories: pd.Series) -> bool:
    """Return whether a model can be fitted to videos of these categories.

    The probabilities of a linear SVM are calibrated on held-out videos, so it needs two videos of each category.
    """
    return name != "linear_svm" or bool(categories.value_counts().min() > 1)


def fit_category_model(
    name: ModelName, points: DataFrame[VideoPoints], categories: pd.Series, seed: int
) -> CategoryModel:
    """Fit one model; without any category it predicts `unknown`, with only one category that one.

    Raises:
        ValueError: if there are too few videos (see `can_fit`).
    """
    if categories.empty:
        placeholder = pd.DataFrame(np.zeros((1, points.shape[1]), np.float32), columns=points.columns)
        return Pipeline([("classify", DummyClassifier())]).fit(placeholder, [UNKNOWN_CATEGORY])
    if not can_fit(name, categories):
        raise ValueError(f"{name} needs two videos of every category: add videos or choose another candidate")
    # standardised axes make logistic regression converge faster; the other models need the scale of the cosine
    scaler = StandardScaler() if name == "logistic_regression" else "passthrough"
    labels = categories.to_numpy(dtype=object)
    classifier = _classifier(name if len(set(labels)) > 1 else MAJORITY, categories, seed)
    with _limited_threads(points):
        return Pipeline([("scale", scaler), ("classify", classifier)]).fit(points, labels)


def predict_with_probability(model: CategoryModel, points: DataFrame[VideoPoints]) -> pd.DataFrame:
    """Predict the `predicted_category` of each video and its `probability`; index as in `points`."""
    if points.empty:
        return pd.DataFrame({"predicted_category": [], "probability": []}, index=points.index)
    with _limited_threads(points):
        probabilities: NDArray[np.float64] = model.predict_proba(points)
    predicted = model.classes_[probabilities.argmax(axis=1)]
    probability = probabilities.max(axis=1).clip(0, 1)
    return pd.DataFrame({"predicted_category": predicted, "probability": probability}, index=points.index)


def corpus_rows(video_ids: pd.Index, corpus: DataFrame[Corpus]) -> pd.DataFrame:
    """Select the rows of videos that are in the corpus, index `video_id`, in the order of `video_ids`."""
    videos = corpus.set_index("video_id")
    return videos.loc[video_ids.intersection(videos.index, sort=False)]


def labelled_corpus(video_ids: pd.Index, corpus: DataFrame[Corpus]) -> pd.DataFrame:
    """Select the rows of videos with a category, without excluded near duplicates; see `corpus_rows`."""
    rows = corpus_rows(video_ids, corpus)
    return rows[rows["category"].notna() & rows["is_used"]]


def labelled_videos(video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus]) -> LabelledVideos:
    """Select the videos with a category, without excluded near duplicates."""
    rows = labelled_corpus(video_points.index, corpus)
    return LabelledVideos(video_points.loc[rows.index], rows["category"], rows["group"])


def sample_videos(videos: LabelledVideos, at_most: int, seed: int) -> LabelledVideos:
    """Draw whole groups of videos, in their order; all of them if they are not too many.

    Two groups of every category are always drawn, even if they have more than `at_most` videos.
    """
    if len(videos) <= at_most:
        return videos
    pairs = pd.DataFrame({"category": videos.categories, "group": videos.groups}).drop_duplicates()
    pairs = pairs.sample(frac=1, random_state=seed)
    is_needed = pairs.groupby("category").cumcount() < MIN_GROUPS
    groups = pd.concat([pairs[is_needed], pairs[~is_needed]])["group"].drop_duplicates()
    fits = videos.groups.value_counts()[groups].cumsum().to_numpy() <= at_most
    is_drawn = videos.groups.isin(groups[fits | groups.isin(pairs["group"][is_needed])])
    return LabelledVideos(videos.points[is_drawn], videos.categories[is_drawn], videos.groups[is_drawn])


def assign_folds(videos: LabelledVideos, folds: int, seed: int) -> Folds:
    """Assign videos to folds, with whole groups and categories spread evenly.

    There are at most `folds` folds, and at most as many as the smallest number of groups of a category, without
    categories of one group. A category of one group is held out whole, so it is never predicted. Nothing can be
    measured with fewer than two categories of two groups.
    """
    groups = videos.groups.groupby(videos.categories.to_numpy()).nunique()
    measurable = groups[groups > 1]
    if len(measurable) < 2:
        logger.warning(
            "The classifier cannot be measured: that needs two categories with two groups of videos each (a group "
            "shares a photo, a source or an uploader). It is trained on all labelled videos."
        )
        return np.zeros(len(videos), np.int64)
    if len(measurable) < len(groups):
        single = ", ".join(groups.index[groups == 1])
        logger.warning("All videos of a category are in one group, so it is never predicted: %s", single)
    possible = min(folds, int(measurable.min()))
    if possible < folds:
        smallest = measurable.idxmin()
        logger.warning("%d folds instead of %d: '%s' has only %d groups of videos", possible, folds, smallest, possible)
    splitter = StratifiedGroupKFold(possible, shuffle=True, random_state=seed)
    assigned = np.zeros(len(videos), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # categories with fewer videos than folds, logged above
        splits = splitter.split(videos.points, videos.categories, videos.groups)
        for number, (_, held_out) in enumerate(splits, start=1):
            assigned[held_out] = number
    return np.unique(assigned, return_inverse=True)[1] + 1


def compare_models(
    videos: LabelledVideos, candidates: Sequence[CandidateName], folds: int, seed: int
) -> CandidateComparison:
    """Predict every video with models trained without its group, and choose the best model, the first of equals.

    The score of the chosen model is the best of a few, hence slightly optimistic. If nothing can be measured, the first
    candidate that can be fitted is chosen.
    """
    assigned = assign_folds(videos, folds, seed)
    numbers = [int(fold) for fold in np.unique(assigned) if fold]
    trainings = [videos.categories[assigned != fold] for fold in numbers] or [videos.categories]
    fitting = _usable_candidates(candidates, trainings, len(videos))
    models: list[ModelName] = [MAJORITY, *fitting]
    predictions = [_predict_fold(name, videos, assigned == fold, fold, seed) for name in models for fold in numbers]
    if not predictions:
        columns = ["video_id", "predicted_category", "probability", "model", "category", "fold"]
        return CandidateComparison(pd.DataFrame({name: [] for name in columns}), fitting[0] if fitting else MAJORITY)
    table = pd.concat(predictions, ignore_index=True)
    scores = {name: macro_f1(table[table["model"] == name]) for name in fitting or models}
    return CandidateComparison(table, chosen=max(scores, key=scores.__getitem__))


def accuracy(predictions: pd.DataFrame) -> float:
    """Compute the share of correct predictions, from `category` and `predicted_category`."""
    return float((predictions["category"] == predictions["predicted_category"]).mean())


def macro_f1(predictions: pd.DataFrame) -> float:
    """Compute the unweighted mean of the F1 scores of all categories."""
    labels = sorted(predictions["category"].unique())
    predicted = predictions["predicted_category"]
    return float(f1_score(predictions["category"], predicted, labels=labels, average="macro", zero_division=0))


def _classifier(name: ModelName, categories: pd.Series, seed: int) -> ClassifierMixin:
    videos = len(categories)
    match name:
        case "majority":
            return DummyClassifier(strategy="most_frequent")
        case "nearest_neighbours":
            return KNeighborsClassifier(min(NEIGHBOURS, videos), weights="distance")
        case "logistic_regression":
            strength = INVERSE_REGULARISATION * min(1, MANY_VIDEOS / videos)
            tolerance = COARSE_TOLERANCE if videos > MANY_VIDEOS else TOLERANCE
            return LogisticRegression(C=strength, tol=tolerance, max_iter=1000, random_state=seed)
        case "linear_svm":
            folds = min(CALIBRATION_FOLDS, categories.value_counts().min())
            return CalibratedClassifierCV(LinearSVC(random_state=seed), cv=folds, ensemble=False)
        case "random_forest":
            return RandomForestClassifier(random_state=seed)


def _limited_threads(points: pd.DataFrame) -> threadpool_limits:
    return threadpool_limits(1 if points.size < MIN_COORDINATES_FOR_THREADS else None)


def _usable_candidates(
    candidates: Sequence[CandidateName], trainings: Sequence[pd.Series], videos: int
) -> list[CandidateName]:
    """Skip candidates that cannot be fitted, and those that would take too long, unless there is no other."""
    fitting = [name for name in candidates if all(can_fit(name, categories) for categories in trainings)]
    for name in candidates:
        if name not in fitting:
            logger.warning("%s is skipped: it needs two videos of every category to train on", name)
    fast = [name for name in fitting if videos <= MAX_VIDEOS.get(name, videos)]
    for name in fitting:
        if fast and name not in fast:
            logger.warning("%s is skipped: it takes too long with more than %d videos", name, MAX_VIDEOS[name])
    return fast or fitting


def _predict_fold(
    name: ModelName, videos: LabelledVideos, is_held_out: NDArray[np.bool_], fold: int, seed: int
) -> pd.DataFrame:
    model = fit_category_model(name, videos.points[~is_held_out], videos.categories[~is_held_out], seed)
    predictions = predict_with_probability(model, videos.points[is_held_out])
    predictions = predictions.assign(model=name, category=videos.categories[is_held_out], fold=fold)
    return predictions.rename_axis("video_id").reset_index()
