"""The nearest videos in object space: exact, in blocks, the same answer every time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from sklearn.base import BaseEstimator
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from video_recommender.schemas import VideoPoints

Matrix = NDArray[np.floating[Any]]
"""Vectors as rows, of any float type."""

Labels = NDArray[np.int64]
"""One number per video; a candidate that carries the same number as a query is never its neighbour."""

BlockScores = Callable[[slice], NDArray[np.float64]]
"""Scores of a block of queries (the rows) against the candidates (the columns), each within ±1."""

Scores = Callable[[slice], BlockScores]
"""Prepares a block of candidates once for all blocks of queries."""

QUERIES_PER_BLOCK = 512
CANDIDATES_PER_BLOCK = 8192
STEPS_PER_UNIT = 10**9
"""Scores closer than one step are a tie: rounding in sums must not choose between them."""

NO_NEIGHBOUR = np.iinfo(np.int64).min
UNKNOWN = -1
"""Label of a video that the recommender was not fitted on: no candidate carries it."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest candidates of each query, best first.

    Attributes:
        positions: int64, shape (queries, k): row numbers of candidates; -1 where there are fewer than k.
        similarities: float64, shape (queries, k); NaN where there are fewer than k.
    """

    positions: NDArray[np.int64]
    similarities: NDArray[np.float64]


def find_neighbours(scores: Scores, query_labels: Labels, candidate_labels: Labels, k: int) -> Neighbours:
    """Find the k candidates that score highest, for every query.

    Each score and the candidate's row number are packed into one integer, so that a plain selection of the largest
    integers is exact and breaks ties by the lower row number. Memory does not grow with queries × candidates.

    Args:
        scores: see `Scores`.
        query_labels: shape (queries,).
        candidate_labels: shape (candidates,).
        k: how many neighbours, at least 1.

    Returns:
        See `Neighbours`.
    """
    queries, candidates = len(query_labels), max(len(candidate_labels), 1)
    best = np.full((queries, k), NO_NEIGHBOUR)
    for columns in _blocks(len(candidate_labels), CANDIDATES_PER_BLOCK):
        score = scores(columns)
        for rows in _blocks(queries, QUERIES_PER_BLOCK):
            keys = np.rint(score(rows) * STEPS_PER_UNIT).astype(np.int64)
            keys *= candidates
            keys += candidates - 1 - np.arange(columns.start, columns.stop)
            keys[query_labels[rows, np.newaxis] == candidate_labels[columns]] = NO_NEIGHBOUR
            best[rows] = np.partition(np.hstack([best[rows], keys]), -k, axis=1)[:, -k:]
    best = np.sort(best, axis=1)[:, ::-1]
    found = best != NO_NEIGHBOUR
    return Neighbours(
        positions=np.where(found, candidates - 1 - best % candidates, -1),
        similarities=np.where(found, best // candidates / STEPS_PER_UNIT, np.nan),
    )


def cosine_scores(queries: Matrix, candidates: Matrix) -> Scores:
    """Score by the cosine of the angle between two vectors; 0 where one of them is all zeros.

    Args:
        queries: shape (queries, axes), of any length.
        candidates: shape (candidates, axes), of any length.

    Returns:
        See `Scores`.
    """

    def prepare(columns: slice) -> BlockScores:
        block = unit_rows(candidates[columns]).T
        return lambda rows: unit_rows(queries[rows]) @ block

    return prepare


def random_scores(seed: int) -> Scores:
    """Score at random: the least that a recommender must beat."""
    random = np.random.default_rng(seed)
    return lambda columns: lambda rows: random.random((rows.stop - rows.start, columns.stop - columns.start))


def unit_rows(vectors: Matrix) -> NDArray[np.float64]:
    """Scale every row to unit length (float64); rows of zeros stay zeros."""
    exact = vectors.astype(np.float64)
    return normalize(exact, copy=False) if exact.size else exact


class VideoRecommender(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Recommend the nearest videos in object space: exact k nearest neighbours by cosine similarity.

    Ties go to the `video_id` that comes first in the alphabet.

    Example:
        >>> import pandas as pd
        >>> points = pd.DataFrame([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], index=["pets/cat", "pets/dog", "food/pie"])
        >>> recommended = VideoRecommender().fit(points).recommend(points.loc[["pets/cat"]], k=1)
        >>> recommended["recommended_video_id"].item()
        'pets/dog'

    Attributes:
        video_ids_: the videos that can be recommended, in alphabetical order.
        axes_: the names of the axes of object space.
        points_: float32, shape (videos, axes).
        groups_: int64, shape (videos,): equal for videos that share a photo, a source or an uploader.
        originals_: the video that each near duplicate repeats, by `video_id`.
    """

    video_ids_: pd.Index
    axes_: pd.Index
    points_: NDArray[np.float32]
    groups_: Labels
    originals_: pd.Series

    def fit(
        self, points: DataFrame[VideoPoints], groups: pd.Series | None = None, originals: pd.Series | None = None
    ) -> Self:
        """Remember the videos that can be recommended.

        Args:
            points: a row per video (index `video_id`), a column per axis.
            groups: by `video_id`, what videos have in common besides their objects; None: nothing.
            originals: by the `video_id` of near duplicates that are not among the points, the video that each repeats:
                it is never recommended for them either.

        Returns:
            Itself.

        Raises:
            ValueError: if a video comes twice or a coordinate is not a finite number.
        """
        if not points.index.is_unique:
            raise ValueError(f"Video {points.index[points.index.duplicated()][0]} has two points: give one per video")
        ordered = points.sort_index()
        self.video_ids_ = ordered.index
        self.axes_ = ordered.columns
        self.points_ = _finite(ordered)
        self.groups_ = group_labels(ordered.index, groups)
        self.originals_ = pd.Series(dtype="str") if originals is None else originals
        return self

    def recommend(self, points: DataFrame[VideoPoints], k: int = 10, exclude_same_group: bool = False) -> pd.DataFrame:
        """Name the k nearest videos of each point, never the video itself.

        Args:
            points: a row per video (index `video_id`), the same axes as in `fit`; the videos may be new.
            k: how many videos to recommend, at least 1.
            exclude_same_group: never recommend a video of the same group either; a new video has no group.

        Returns:
            `video_id`, `rank` (from 1), `recommended_video_id`, `similarity` (cosine): in the order of the points, k
            rows each, fewer where there are not as many others.

        Raises:
            ValueError: if k is not positive, the axes differ, or a coordinate is not a finite number.
        """
        check_is_fitted(self)
        if k < 1:
            raise ValueError(f"Cannot recommend {k} videos: ask for at least 1")
        if not points.columns.equals(self.axes_):
            raise ValueError(
                "The points have other axes than the recommender was fitted on: run feature_engineering and "
                "recommendation again"
            )
        vectors = _finite(points)
        own, fitted = self._labels(points.index, exclude_same_group)
        neighbours = find_neighbours(cosine_scores(vectors, self.points_), own, fitted, k)
        found = neighbours.positions >= 0
        query, rank = np.nonzero(found)
        return pd.DataFrame(
            {
                "video_id": points.index.take(query),
                "rank": rank + 1,
                "recommended_video_id": self.video_ids_.take(neighbours.positions[found]),
                "similarity": neighbours.similarities[found],
            }
        )

    def predict(self, points: DataFrame[VideoPoints]) -> pd.DataFrame:
        """Name the ten nearest videos of each point: `recommend` under the name by which MLflow serves a model."""
        return self.recommend(points)

    def _labels(self, video_ids: pd.Index, exclude_same_group: bool) -> tuple[Labels, Labels]:
        originals = self.originals_.reindex(video_ids)
        own = self.video_ids_.get_indexer(pd.Index(np.where(originals.isna(), video_ids, originals)))
        if exclude_same_group:
            return np.where(own >= 0, self.groups_[own], UNKNOWN), self.groups_
        return own, np.arange(len(self.video_ids_))


def group_labels(video_ids: pd.Index, groups: pd.Series | None) -> Labels:
    """Number the groups of videos.

    Args:
        video_ids: which videos, in which order.
        groups: the name of each video's group by `video_id`; None: every video is a group of its own.

    Returns:
        int64, shape (videos,): equal for videos of one group; a video without a group is a group of its own.
    """
    names = pd.Series(index=video_ids, dtype="str") if groups is None else groups.reindex(video_ids)
    codes = names.factorize()[0].astype(np.int64)
    alone = codes < 0
    codes[alone] = len(codes) + np.flatnonzero(alone)
    return codes


def _finite(points: pd.DataFrame) -> NDArray[np.float32]:
    vectors = points.to_numpy(dtype=np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"The point of {points.index[~finite][0]} is not finite: run feature_engineering again")
    return vectors


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
