"""Find the exact k nearest neighbours in blocks, with deterministic tie-breaking."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

Matrix = NDArray[np.floating[Any]]  # one vector per row, any float type
Labels = NDArray[np.int64]  # one number per video; candidates with the label of the query are excluded
BlockScores = Callable[[slice], NDArray[np.float64]]
"""Function that computes the scores, -1 to 1, of a slice of the queries (rows) and a block of candidates (columns)."""
Scores = Callable[[slice], BlockScores]  # function that prepares a slice of the candidates once for all queries

QUERIES_PER_BLOCK: Final = 512
CANDIDATES_PER_BLOCK: Final = 8192
STEPS_PER_UNIT: Final = 10**9  # scores are rounded to steps, so that rounding errors do not break ties
NO_NEIGHBOUR: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Neighbours:
    """The nearest candidates of each query, best first."""

    positions: NDArray[np.int64]  # shape (queries, k): row numbers of candidates; -1 for missing ranks
    similarities: NDArray[np.float64]  # shape (queries, k): -1 to 1; NaN for missing ranks


class Exclusion(NamedTuple):
    """Labels of queries and candidates. Candidates with the label of the query are excluded."""

    query_labels: Labels  # shape (queries,)
    candidate_labels: Labels  # shape (candidates,)


def find_neighbours(scores: Scores, query_labels: Labels, candidate_labels: Labels, k: int) -> Neighbours:
    """Find the k candidates with the highest scores for every query. See `find_neighbours_per_exclusion`."""
    return find_neighbours_per_exclusion(scores, [Exclusion(query_labels, candidate_labels)], k)[0]


def find_neighbours_per_exclusion(scores: Scores, exclusions: Sequence[Exclusion], k: int) -> list[Neighbours]:
    """Find the k candidates with the highest scores for every query, once per exclusion.

    Ties are broken by row number: score and row number are packed into one integer, and the largest integers are
    selected. Queries and candidates are processed in blocks, so memory use is O(queries · k).
    """
    queries, candidates = len(exclusions[0].query_labels), len(exclusions[0].candidate_labels)
    best = [np.full((queries, k), NO_NEIGHBOUR) for _ in exclusions]
    for columns in _blocks(candidates, CANDIDATES_PER_BLOCK):
        score = scores(columns)
        for rows in _blocks(queries, QUERIES_PER_BLOCK):
            block = score(rows)
            for keys, labels in zip(best, exclusions, strict=True):
                is_excluded = labels.query_labels[rows, np.newaxis] == labels.candidate_labels[columns]
                keys[rows] = _merge(keys[rows], block, is_excluded, columns.start, candidates)
    return [_unpack(keys, candidates) for keys in best]


def select_best(
    scores: NDArray[np.float64], positions: NDArray[np.int64], is_excluded: NDArray[np.bool_], candidates: int, k: int
) -> Neighbours:
    """Select the k proposed candidates with the highest scores for every query; ties are broken by row number.

    Scores are from -1 to 1. The three arrays have the shape (queries, proposed), with at least k proposed candidates.
    """
    keys = _pack(scores, positions, candidates)
    keys[is_excluded] = NO_NEIGHBOUR
    return _unpack(_largest(keys, k), candidates)


def cosine_scores(queries: Matrix, candidates: Matrix) -> Scores:
    """Score by cosine similarity of vectors, shape (vectors, axes), of any length. Scores of zero vectors are 0."""

    def prepare(columns: slice) -> BlockScores:
        block = unit_rows(candidates[columns]).T
        return lambda rows: unit_rows(queries[rows]) @ block

    return prepare


def random_scores(seed: int) -> Scores:
    """Assign random scores, 0 to 1, as a baseline."""
    random = np.random.default_rng(seed)
    return lambda columns: lambda rows: random.random((rows.stop - rows.start, columns.stop - columns.start))


def unit_rows(vectors: Matrix) -> NDArray[np.float64]:
    """Convert to float64 and scale every row to unit length. Zero rows stay zero."""
    exact = vectors.astype(np.float64)
    return normalize(exact, copy=False) if exact.size else exact


def group_labels(video_ids: pd.Index, groups: pd.Series | None) -> Labels:
    """Convert groups (index `video_id`) to numbers, shape (videos,). A video without a group gets a unique number."""
    names = pd.Series(index=video_ids, dtype="str") if groups is None else groups.reindex(video_ids)
    codes = names.factorize()[0].astype(np.int64)
    is_alone = codes < 0
    codes[is_alone] = len(codes) + np.flatnonzero(is_alone)
    return codes


def _pack(scores: NDArray[np.float64], positions: NDArray[np.int64], candidates: int) -> NDArray[np.int64]:
    return np.rint(scores * STEPS_PER_UNIT).astype(np.int64) * candidates + (candidates - 1 - positions)


def _merge(
    best: NDArray[np.int64], scores: NDArray[np.float64], is_excluded: NDArray[np.bool_], start: int, candidates: int
) -> NDArray[np.int64]:
    """Merge the candidates of a block into the best candidates so far if they have higher scores than the worst."""
    worst = best.min(axis=1, keepdims=True)
    floor = np.where(worst == NO_NEIGHBOUR, -np.inf, (worst // candidates - 1) / STEPS_PER_UNIT)
    rows, columns = np.nonzero((scores >= floor) & ~is_excluded)
    if not len(rows):
        return best
    counts = np.bincount(rows, minlength=len(best))
    slots = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
    keys = np.full((len(best), best.shape[1] + counts.max()), NO_NEIGHBOUR)
    keys[:, : best.shape[1]] = best
    keys[rows, best.shape[1] + slots] = _pack(scores[rows, columns], columns + start, candidates)
    return _largest(keys, best.shape[1])


def _largest(keys: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    return np.partition(keys, -k, axis=1)[:, -k:]


def _unpack(best: NDArray[np.int64], candidates: int) -> Neighbours:
    candidates = max(candidates, 1)
    best = np.sort(best, axis=1)[:, ::-1]
    is_found = best != NO_NEIGHBOUR
    return Neighbours(
        positions=np.where(is_found, candidates - 1 - best % candidates, -1),
        similarities=np.where(is_found, best // candidates / STEPS_PER_UNIT, np.nan),
    )


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
