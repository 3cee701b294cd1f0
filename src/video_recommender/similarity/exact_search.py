"""The nearest of many vectors: exact, in blocks, the same answer every time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

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


@dataclass(frozen=True)
class Neighbours:
    """The nearest candidates of each query, best first.

    Attributes:
        positions: int64, shape (queries, k): row numbers of candidates; -1 where there are fewer than k.
        similarities: float64, shape (queries, k); NaN where there are fewer than k.
    """

    positions: NDArray[np.int64]
    similarities: NDArray[np.float64]

    def of(self, rows: NDArray[np.int64]) -> "Neighbours":
        """The same, where the candidates were these rows of something longer."""
        if not len(rows):
            return self
        return Neighbours(np.where(self.positions >= 0, rows[self.positions], -1), self.similarities)


@dataclass(frozen=True)
class Exclusion:
    """Which candidates may not be neighbours of which queries: those with the same label.

    Attributes:
        of_queries: shape (queries,).
        of_candidates: shape (candidates,).
    """

    of_queries: Labels
    of_candidates: Labels


def find_neighbours(scores: Scores, query_labels: Labels, candidate_labels: Labels, k: int) -> Neighbours:
    """Find the k candidates that score highest, for every query.

    Args:
        scores: see `Scores`.
        query_labels: shape (queries,).
        candidate_labels: shape (candidates,).
        k: how many neighbours, at least 1.

    Returns:
        See `Neighbours`.
    """
    return find_neighbours_among(scores, [Exclusion(query_labels, candidate_labels)], k)[0]


def find_neighbours_among(scores: Scores, exclusions: Sequence[Exclusion], k: int) -> list[Neighbours]:
    """Find the k candidates that score highest, for every query, with one choice of candidates and another.

    Each score and the candidate's row number are packed into one integer, so that a plain selection of the largest
    integers is exact and breaks ties by the lower row number. Memory does not grow with queries × candidates.

    Args:
        scores: see `Scores`; they are computed once for all choices.
        exclusions: which candidates may not be neighbours of which queries; at least one.
        k: how many neighbours, at least 1.

    Returns:
        See `Neighbours`; in the order of the exclusions.
    """
    queries, candidates = len(exclusions[0].of_queries), len(exclusions[0].of_candidates)
    best = [np.full((queries, k), NO_NEIGHBOUR) for _ in exclusions]
    for columns in _blocks(candidates, CANDIDATES_PER_BLOCK):
        score = scores(columns)
        for rows in _blocks(queries, QUERIES_PER_BLOCK):
            scored = score(rows)
            for kept, labels in zip(best, exclusions, strict=True):
                is_excluded = labels.of_queries[rows, np.newaxis] == labels.of_candidates[columns]
                kept[rows] = _merged(kept[rows], scored, is_excluded, columns.start, candidates)
    return [_unpacked(kept, candidates) for kept in best]


def best_of(
    scores: NDArray[np.float64], positions: NDArray[np.int64], is_excluded: NDArray[np.bool_], candidates: int, k: int
) -> Neighbours:
    """Choose the k that score highest of some candidates that are proposed for each query.

    Args:
        scores: within ±1, shape (queries, proposed).
        positions: row numbers of the proposed candidates, in the same shape.
        is_excluded: which of them may not be chosen, in the same shape.
        candidates: how many there are in all.
        k: how many to choose, at most as many as are proposed.

    Returns:
        See `Neighbours`.
    """
    keys = _packed(scores, positions, candidates)
    keys[is_excluded] = NO_NEIGHBOUR
    return _unpacked(_largest(keys, k), candidates)


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


def _packed(scores: NDArray[np.float64], positions: NDArray[np.int64], candidates: int) -> NDArray[np.int64]:
    keys = np.rint(scores * STEPS_PER_UNIT).astype(np.int64)
    keys *= candidates
    keys += candidates - 1 - positions
    return keys


def _merged(
    best: NDArray[np.int64],
    scores: NDArray[np.float64],
    is_excluded: NDArray[np.bool_],
    start: int,
    candidates: int,
) -> NDArray[np.int64]:
    """The best of those so far and of a block of candidates, of which few are better than the worst so far."""
    worst = best.min(axis=1, keepdims=True)
    floor = np.where(worst == NO_NEIGHBOUR, -np.inf, (worst // candidates - 1) / STEPS_PER_UNIT)
    rows, columns = np.nonzero((scores >= floor) & ~is_excluded)
    if not len(rows):
        return best
    better = np.bincount(rows, minlength=len(best))
    places = np.arange(len(rows)) - np.repeat(better.cumsum() - better, better)
    keys = np.full((len(best), best.shape[1] + better.max()), NO_NEIGHBOUR)
    keys[:, : best.shape[1]] = best
    keys[rows, best.shape[1] + places] = _packed(scores[rows, columns], columns + start, candidates)
    return _largest(keys, best.shape[1])


def _largest(keys: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    return np.partition(keys, -k, axis=1)[:, -k:]


def _unpacked(best: NDArray[np.int64], candidates: int) -> Neighbours:
    candidates = max(candidates, 1)
    best = np.sort(best, axis=1)[:, ::-1]
    found = best != NO_NEIGHBOUR
    return Neighbours(
        positions=np.where(found, candidates - 1 - best % candidates, -1),
        similarities=np.where(found, best // candidates / STEPS_PER_UNIT, np.nan),
    )


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
