"""Compare category models by cross-validation with grouped folds."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from video_recommender.schemas import Corpus, VideoPoints
from video_recommender.similarity.category_models import (
    MAJORITY,
    MAX_VIDEOS,
    CandidateName,
    ModelName,
    can_fit,
    fit_category_model,
    predict_with_probability,
)

logger = logging.getLogger(__name__)

MIN_GROUPS: Final = 2
"""Groups of each category in a sample: one to train on while the other is held out."""

Folds = NDArray[np.int64]
"""The fold in which each video is held out, from 1; all zero if nothing can be measured."""


@dataclass(frozen=True)
class LabelledVideos:
    """Videos with a category.

    Attributes:
        points: index `video_id`, float32, shape (videos, axes).
        categories: index `video_id`.
        groups: index `video_id`; videos of one group are held out together.
    """

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
    """Draw whole groups of videos.

    Args:
        videos: to draw from.
        at_most: number of videos to draw; exceeded only by two groups of every category, which are always drawn.
        seed: random seed.

    Returns:
        The drawn videos in their order; all of them if they are not too many.
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

    There are at most as many folds as the smallest number of groups of a category, without categories of one group. A
    category of one group is held out whole, so it is never predicted. Nothing can be measured with fewer than two
    categories of two groups.

    Args:
        videos: with a category.
        folds: number of folds to make at most.
        seed: random seed.
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
    """Predict every video with models trained without its group, and choose the best model.

    The score of the chosen model is the best of a few, hence slightly optimistic.

    Args:
        videos: with a category.
        candidates: simplest first, because the first of equals is chosen.
        folds: number of folds to make at most.
        seed: random seed of folds and models.

    Returns:
        If nothing can be measured, the first candidate that can be fitted is chosen.
    """
    assigned = assign_folds(videos, folds, seed)
    numbers = [int(fold) for fold in np.unique(assigned) if fold]
    trainings = [videos.categories[assigned != fold] for fold in numbers] or [videos.categories]
    fitting = [name for name in candidates if all(can_fit(name, training) for training in trainings)]
    for name in candidates:
        if name not in fitting:
            logger.warning("%s is skipped: it needs two videos of every category to train on", name)
    fitting = _fast_candidates(fitting, len(videos))
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


def _fast_candidates(candidates: Sequence[CandidateName], videos: int) -> list[CandidateName]:
    """Skip candidates that would take too long, unless there is no other."""
    fast = [name for name in candidates if videos <= MAX_VIDEOS.get(name, videos)]
    for name in candidates:
        if fast and name not in fast:
            logger.warning("%s is skipped: it takes too long with more than %d videos", name, MAX_VIDEOS[name])
    return fast or list(candidates)


def _predict_fold(
    name: ModelName, videos: LabelledVideos, is_held_out: NDArray[np.bool_], fold: int, seed: int
) -> pd.DataFrame:
    model = fit_category_model(name, videos.points[~is_held_out], videos.categories[~is_held_out], seed)
    predictions = predict_with_probability(model, videos.points[is_held_out])
    predictions = predictions.assign(model=name, category=videos.categories[is_held_out], fold=fold)
    return predictions.rename_axis("video_id").reset_index()
