"""Fit models that predict a video's category from its point in object space, and compare them by cross-validation."""

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
"""A fitted scikit-learn pipeline that predicts categories from points."""

Folds = NDArray[np.int64]  # fold (1-based) in which each video is held out, or 0 if cross-validation is impossible

MAJORITY: Literal["majority"] = "majority"  # baseline that always predicts the most frequent category
UNKNOWN_CATEGORY: Final = "unknown"  # predicted for every video if no video has a category
NEIGHBOURS: Final = 10
CALIBRATION_FOLDS: Final = 3
INVERSE_REGULARISATION: Final = 0.01
"""C of logistic regression, smaller than scikit-learn's default of 1, because weak regularisation with more axes (1280)
than videos drives every probability to 0 or 1. scikit-learn sums the loss over videos, which weakens the penalty as
videos are added; above `MANY_VIDEOS`, C is divided by their number to keep the penalty per video constant."""
MANY_VIDEOS: Final = 20_000
"""Above this number of videos, logistic regression keeps the penalty per video and stops at `COARSE_TOLERANCE`, so that
the number of steps does not grow: the time per step is already proportional to the number of videos."""
TOLERANCE: Final = 1e-4
COARSE_TOLERANCE: Final = 1e-3
"""Gradient of the mean loss at which training stops. The coarse tolerance needs only a quarter of the steps, and its
effect on accuracy is smaller than the sampling error."""
MAX_VIDEOS: Final[Mapping[CandidateName, int]] = {"linear_svm": 3000}
"""Number of videos above which a candidate is skipped. Above 3,000, a linear SVM takes minutes and is no better than
logistic regression."""
FITTED_TO_SAMPLE: Final[frozenset[ModelName]] = frozenset({"nearest_neighbours", "linear_svm"})
"""Models with quadratic fit or prediction time, which are fitted to a sample of a large corpus."""
MIN_COORDINATES_FOR_THREADS: Final = 10_000_000
"""Below this number of coordinates, synchronising BLAS and OpenMP threads takes longer than the computation."""
MIN_GROUPS: Final = 2  # minimum number of groups per category in a sample: one for training, one held out

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
    """Videos with a category. All tables have the same index, `video_id`."""

    points: DataFrame[VideoPoints]
    categories: pd.Series
    groups: pd.Series  # videos of one group are held out together

    def __len__(self) -> int:
        return len(self.categories)


@dataclass(frozen=True)
class CandidateComparison:
    """Out-of-fold predictions of each candidate.

    Attributes:
        predictions: one row per model (including the majority baseline) and labelled video: `model`, `video_id`,
            `category`, `predicted_category`, `probability`, `fold`. Empty if cross-validation is impossible.
        chosen: name of the model with the highest macro-averaged F1.
    """

    predictions: pd.DataFrame
    chosen: ModelName

    @property
    def predictions_of_chosen(self) -> pd.DataFrame:
        """The predictions of the chosen model."""
        return self.predictions[self.predictions["model"] == self.chosen]


def can_fit(name: ModelName, categories: pd.Series) -> bool:
    """Return whether a model can be fitted to videos with these categories.

    A linear SVM needs two videos of each category to calibrate its probabilities on held-out videos.
    """
    return name != "linear_svm" or bool(categories.value_counts().min() > 1)


def fit_category_model(
    name: ModelName, points: DataFrame[VideoPoints], categories: pd.Series, seed: int
) -> CategoryModel:
    """Fit a model to labelled videos.

    Without videos, the model always predicts `unknown`. With only one category, it always predicts that category.

    Raises:
        ValueError: if `can_fit` is false.
    """
    if categories.empty:
        placeholder = pd.DataFrame(np.zeros((1, points.shape[1]), np.float32), columns=points.columns)
        return Pipeline([("classify", DummyClassifier())]).fit(placeholder, [UNKNOWN_CATEGORY])
    if not can_fit(name, categories):
        raise ValueError(f"{name} needs two videos of every category: add videos, or choose another candidate")
    # Standardised axes speed up the convergence of logistic regression, but would distort cosines in the other models.
    scaler = StandardScaler() if name == "logistic_regression" else "passthrough"
    labels = categories.to_numpy(dtype=object)
    classifier = _classifier(name if len(set(labels)) > 1 else MAJORITY, categories, seed)
    with _limited_threads(points):
        return Pipeline([("scale", scaler), ("classify", classifier)]).fit(points, labels)


def predict_with_probability(model: CategoryModel, points: DataFrame[VideoPoints]) -> pd.DataFrame:
    """Return `predicted_category` and `probability` (0 to 1) of each video, with the index of `points`."""
    if points.empty:
        return pd.DataFrame({"predicted_category": [], "probability": []}, index=points.index)
    with _limited_threads(points):
        probabilities: NDArray[np.float64] = model.predict_proba(points)
    predicted = model.classes_[probabilities.argmax(axis=1)]
    probability = probabilities.max(axis=1).clip(0, 1)
    return pd.DataFrame({"predicted_category": predicted, "probability": probability}, index=points.index)


def corpus_rows(video_ids: pd.Index, corpus: DataFrame[Corpus]) -> pd.DataFrame:
    """Return the rows of the corpus for `video_ids`, in this order, with the index `video_id`, without unknown ids."""
    videos = corpus.set_index("video_id")
    return videos.loc[video_ids.intersection(videos.index, sort=False)]


def labelled_corpus(video_ids: pd.Index, corpus: DataFrame[Corpus]) -> pd.DataFrame:
    """Return the `corpus_rows` of labelled videos, without excluded near duplicates."""
    rows = corpus_rows(video_ids, corpus)
    return rows[rows["category"].notna() & rows["is_used"]]


def labelled_videos(video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus]) -> LabelledVideos:
    """Return points, categories and groups of labelled videos, without excluded near duplicates."""
    rows = labelled_corpus(video_points.index, corpus)
    return LabelledVideos(video_points.loc[rows.index], rows["category"], rows["group"])


def sample_videos(videos: LabelledVideos, at_most: int, seed: int) -> LabelledVideos:
    """Sample whole groups with at most `at_most` videos in total, and keep the order of `videos`.

    Two groups of every category are always included, even if the sample then exceeds `at_most`.
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
    """Assign each video to a fold by group, stratified by category.

    The number of folds is at most `folds`, and at most the smallest number of groups in a category. This excludes
    categories with a single group: they are held out as a whole and therefore never predicted. Cross-validation needs
    at least two categories with two groups each; otherwise, all folds are 0.
    """
    groups = videos.groups.groupby(videos.categories.to_numpy()).nunique()
    measurable = groups[groups > 1]
    if len(measurable) < 2:
        logger.warning(
            "The classifier cannot be evaluated: at least two categories need two groups each (a group shares source "
            "footage, an uploader or a photo pool). It is trained on all labelled items."
        )
        return np.zeros(len(videos), np.int64)
    if len(measurable) < len(groups):
        single = ", ".join(groups.index[groups == 1])
        logger.warning("Categories with only one group are never predicted in cross-validation: %s", single)
    possible = min(folds, int(measurable.min()))
    if possible < folds:
        smallest = measurable.idxmin()
        logger.warning("%d folds instead of %d: '%s' has only %d groups", possible, folds, smallest, possible)
    splitter = StratifiedGroupKFold(possible, shuffle=True, random_state=seed)
    assigned = np.zeros(len(videos), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # categories with fewer videos than folds are logged above
        splits = splitter.split(videos.points, videos.categories, videos.groups)
        for number, (_, held_out) in enumerate(splits, start=1):
            assigned[held_out] = number
    return np.unique(assigned, return_inverse=True)[1] + 1


def compare_models(
    videos: LabelledVideos, candidates: Sequence[CandidateName], folds: int, seed: int
) -> CandidateComparison:
    """Cross-validate models by group, and choose the model with the highest macro-averaged F1 (the first in a tie).

    The score of the chosen model is slightly optimistic, because it is the maximum of several scores. If
    cross-validation is impossible, the first candidate that can be fitted is chosen.
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
    """Compute the share of rows in which `predicted_category` equals `category`."""
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
    """Skip candidates that cannot be fitted, and slow candidates unless no other candidate remains."""
    fitting = [name for name in candidates if all(can_fit(name, categories) for categories in trainings)]
    for name in candidates:
        if name not in fitting:
            logger.warning("%s is skipped: it requires at least two training videos of each category", name)
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
