"""Comparison of candidates on videos that they have not seen, nor anything of the same group."""

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
    SLOW_TO_LEARN,
    CandidateName,
    ModelName,
    can_learn,
    fit_category_model,
    name_categories,
)

logger = logging.getLogger(__name__)

LEAST_GROUPS: Final = 2
"""Of each category, however few videos are drawn: one to learn from where the other is held out."""

Folds = NDArray[np.int64]
"""The fold in which each video is held out, from 1; all zero where nothing can be measured."""


@dataclass(frozen=True)
class LabelledVideos:
    """The videos whose category is known.

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
    """What each candidate says of videos that it was not trained on.

    Attributes:
        predictions: a row per model (the majority baseline included) and labelled video: `model`, `video_id`,
            `category`, `predicted_category`, `probability`, `fold`. Empty where nothing can be measured.
        chosen: the model with the highest macro-averaged F1.
    """

    predictions: pd.DataFrame
    chosen: ModelName

    @property
    def predictions_of_chosen(self) -> pd.DataFrame:
        """The rows of the chosen model."""
        return self.predictions[self.predictions["model"] == self.chosen]


def usable_videos(video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus]) -> pd.DataFrame:
    """Find the videos that have a point and are fit for use.

    Returns:
        Their rows of the corpus, index `video_id`, in the order of `video_points`.
    """
    described = corpus.set_index("video_id")
    return described.loc[video_points.index.intersection(described.index, sort=False)]


def labelled_videos(video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus]) -> LabelledVideos:
    """Find the usable videos whose category is known; near duplicates that are kept out are none of them."""
    usable = usable_videos(video_points, corpus)
    labelled = usable[usable["category"].notna() & usable["is_used"]]
    return LabelledVideos(video_points.loc[labelled.index], labelled["category"], labelled["group"])


def draw_videos(videos: LabelledVideos, at_most: int, seed: int) -> LabelledVideos:
    """Draw some of very many videos, in whole groups.

    Args:
        videos: whose category is known.
        at_most: how many to draw; a few more where that takes two groups of every category, which are always drawn.
        seed: of the draw.

    Returns:
        The drawn videos in their order; all of them if they are not more than that.
    """
    if len(videos) <= at_most:
        return videos
    pairs = pd.DataFrame({"category": videos.categories, "group": videos.groups}).drop_duplicates()
    pairs = pairs.sample(frac=1, random_state=seed)
    is_needed = pairs.groupby("category").cumcount() < LEAST_GROUPS
    groups = pd.concat([pairs[is_needed], pairs[~is_needed]])["group"].drop_duplicates()
    fits = videos.groups.value_counts()[groups].cumsum().to_numpy() <= at_most
    chosen = videos.groups.isin(groups[fits | groups.isin(pairs["group"][is_needed])])
    return LabelledVideos(videos.points[chosen], videos.categories[chosen], videos.groups[chosen])


def assign_folds(videos: LabelledVideos, folds: int, seed: int) -> Folds:
    """Deal videos into folds, groups kept whole and categories spread evenly.

    There are never more folds than groups in a category, counting categories of two groups and more. A category of a
    single group is held out whole, so none of it can be recognised. With fewer than two categories of two groups,
    nothing can be measured.

    Args:
        videos: whose category is known.
        folds: how many to make at best.
        seed: of the deal.

    Returns:
        See `Folds`.
    """
    groups = videos.groups.groupby(videos.categories.to_numpy()).nunique()
    measurable = groups[groups > 1]
    if len(measurable) < 2:
        logger.warning(
            "The classifier cannot be measured: that takes two categories, each with two groups of videos "
            "(a group shares a photo, a source or an uploader). It is trained on what there is."
        )
        return np.zeros(len(videos), np.int64)
    if len(measurable) < len(groups):
        alone = ", ".join(groups.index[groups == 1])
        logger.warning("All videos of a category share one group, so it counts as never recognised: %s", alone)
    possible = min(folds, int(measurable.min()))
    if possible < folds:
        logger.warning(
            "%d folds instead of %d: '%s' has only %d groups of videos",
            possible,
            folds,
            measurable.idxmin(),
            possible,
        )
    return _deal(videos, possible, seed)


def compare_models(
    videos: LabelledVideos, candidates: Sequence[CandidateName], folds: int, seed: int
) -> CandidateComparison:
    """Predict every labelled video with models that have not seen its group, and choose the best model.

    The chosen model's score is the best of a few, hence very slightly optimistic.

    Args:
        videos: whose category is known.
        candidates: simplest first, since the first of equals is chosen.
        folds: how many to make at best.
        seed: of folds and models.

    Returns:
        See `CandidateComparison`; the first candidate that can be fitted is chosen where nothing can be measured.
    """
    held_out_in = assign_folds(videos, folds, seed)
    numbers = [int(fold) for fold in np.unique(held_out_in) if fold]
    trainings = [videos.categories[held_out_in != fold] for fold in numbers] or [videos.categories]
    able = [name for name in candidates if all(can_learn(name, training) for training in trainings)]
    for name in candidates:
        if name not in able:
            logger.warning("%s is left out: it takes at least two videos of every category to train it", name)
    able = _not_too_slow(able, len(videos))
    models: list[ModelName] = [MAJORITY, *able]
    predictions = [_held_out_predictions(name, videos, held_out_in, fold, seed) for name in models for fold in numbers]
    if not predictions:
        return CandidateComparison(_no_predictions(), chosen=able[0] if able else MAJORITY)
    table = pd.concat(predictions, ignore_index=True)
    scores = {name: macro_f1(table[table["model"] == name]) for name in able or models}
    return CandidateComparison(table, chosen=max(scores, key=scores.__getitem__))


def macro_f1(predictions: pd.DataFrame) -> float:
    """Average the F1 of all categories, each counting the same however many videos it has."""
    categories = predictions["category"]
    return float(
        f1_score(
            categories,
            predictions["predicted_category"],
            labels=sorted(categories.unique()),
            average="macro",
            zero_division=0,
        )
    )


def _not_too_slow(candidates: Sequence[CandidateName], videos: int) -> list[CandidateName]:
    """Leave out what would take too long, unless nothing else is asked for."""
    fast = [name for name in candidates if videos <= SLOW_TO_LEARN.get(name, videos)]
    for name in candidates:
        if fast and name not in fast:
            logger.warning("%s is left out: with more than %d videos it takes too long", name, SLOW_TO_LEARN[name])
    return fast or list(candidates)


def _deal(videos: LabelledVideos, folds: int, seed: int) -> Folds:
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    dealt = np.zeros(len(videos), np.int64)
    with warnings.catch_warnings():
        # It warns of categories with fewer videos than folds, which the caller has been told in plainer words.
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, held_out) in enumerate(
            splitter.split(videos.points, videos.categories, videos.groups), start=1
        ):
            dealt[held_out] = number
    return np.unique(dealt, return_inverse=True)[1] + 1


def _held_out_predictions(
    name: ModelName, videos: LabelledVideos, held_out_in: Folds, fold: int, seed: int
) -> pd.DataFrame:
    held_out = held_out_in == fold
    model = fit_category_model(name, videos.points[~held_out], videos.categories[~held_out], seed)
    predictions = name_categories(model, videos.points[held_out])
    predictions = predictions.assign(model=name, category=videos.categories[held_out], fold=fold)
    return predictions.rename_axis("video_id").reset_index()


def _no_predictions() -> pd.DataFrame:
    columns = ["video_id", "predicted_category", "probability", "model", "category", "fold"]
    return pd.DataFrame({column: [] for column in columns})
