"""Ranking metrics, as defined by the recommenders project (github.com/recommenders-team/recommenders).

Relevant videos of a list are those of its own category. Metrics are from 0 to 1, averaged over the lists with at least
one relevant candidate; NaN if there are none.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from video_recommender.similarity.nearest_neighbours import Labels, Matrix, unit_rows

LISTS_PER_BLOCK: Final = 256


@dataclass(frozen=True)
class RankedLists:
    """Relevance of recommended videos.

    Attributes:
        hits: bool, shape (lists, k), best rank first: whether the video at that rank is relevant; False where the list
            is shorter.
        relevant: int, shape (lists,): number of relevant candidates.
    """

    hits: NDArray[np.bool_]
    relevant: NDArray[np.int64]

    def __post_init__(self) -> None:
        if (self.hits.sum(axis=1) > self.relevant).any():
            raise ValueError("A list has more relevant videos than there are candidates: count the candidates again")

    @property
    def measurable(self) -> "RankedLists":
        """The lists with at least one relevant candidate."""
        return RankedLists(self.hits[self.relevant > 0], self.relevant[self.relevant > 0])


def sample_queries(videos: int, at_most: int, seed: int) -> NDArray[np.int64]:
    """Draw the row numbers of the videos whose lists are evaluated, ascending; all if they are not too many."""
    return np.sort(np.random.default_rng(seed).permutation(videos)[:at_most])


def rate_lists(
    positions: NDArray[np.int64], queries: NDArray[np.int64], categories: pd.Series, labels: Labels
) -> RankedLists:
    """Determine which of the recommended videos are relevant.

    Args:
        positions: row numbers of the recommended videos, shape (queries, k); -1 where a list is shorter.
        queries: row numbers of the videos for which they are recommended.
        categories: of all videos.
        labels: of all videos; videos with the label of the query were excluded.
    """
    codes = categories.factorize()[0]
    same_category = categories.groupby(codes).transform("size").to_numpy(np.int64)
    excluded = categories.groupby([codes, labels]).transform("size").to_numpy(np.int64)
    hits = (positions >= 0) & (codes[positions] == codes[queries, np.newaxis])
    return RankedLists(hits, (same_category - excluded)[queries])


def precision_at_k(lists: RankedLists) -> float:
    """Compute precision@k: hits divided by k, averaged over lists.

    The divisor is k even if a list is shorter or fewer than k videos are relevant, so the maximum may be below 1.
    """
    return _mean(lists.measurable.hits.mean(axis=1))


def ndcg_at_k(lists: RankedLists) -> float:
    """Compute nDCG@k with binary relevance: DCG / ideal DCG, averaged over lists (Järvelin and Kekäläinen 2002).

    DCG = Σ hit(rank) / log2(1 + rank); the ideal list starts with its min(k, relevant) hits.
    """
    lists = lists.measurable
    discounts = 1 / np.log2(np.arange(2, lists.hits.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(lists.relevant, len(discounts)) - 1]
    return _mean(lists.hits @ discounts / ideal)


def map_at_k(lists: RankedLists) -> float:
    """Compute MAP@k: Σ over hits of precision@rank, divided by min(k, relevant), averaged over lists."""
    lists = lists.measurable
    ranks = np.arange(1, lists.hits.shape[1] + 1)
    precisions = np.where(lists.hits, lists.hits.cumsum(axis=1) / ranks, 0)
    return _mean(precisions.sum(axis=1) / np.minimum(lists.relevant, len(ranks)))


def intra_list_diversity(positions: NDArray[np.int64], points: Matrix) -> float:
    """Compute the mean of 1 - cosine over the pairs within a list, averaged over lists (Ziegler et al. 2005).

    Args:
        positions: shape (lists, k): row numbers in `points`; -1 where a list is shorter.
        points: shape (videos, axes); the same space for all recommenders that are compared.

    Returns:
        0 (identical) to 2 (opposite).
    """
    lengths = (positions >= 0).sum(axis=1)
    positions, lengths = positions[lengths > 1], lengths[lengths > 1]
    similarities = np.empty(len(positions))
    for start in range(0, len(positions), LISTS_PER_BLOCK):
        rows = slice(start, start + LISTS_PER_BLOCK)
        listed = positions[rows]
        vectors = unit_rows(points[listed.ravel()]).reshape(*listed.shape, points.shape[1])
        vectors[listed < 0] = 0
        # |Σv|² contains every pair twice and each vector with itself once, so no matrix of pairs is needed
        similarities[rows] = (vectors.sum(axis=1) ** 2).sum(axis=1) - (vectors**2).sum(axis=(1, 2))
    return _mean(np.clip(1 - similarities / (lengths * (lengths - 1)), 0, 2))


def catalogue_coverage(positions: NDArray[np.int64], videos: int) -> float:
    """Compute the share of videos that are recommended at least once; `positions` as in `intra_list_diversity`."""
    recommended = np.unique(positions[positions >= 0])
    return len(recommended) / videos if len(recommended) else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
