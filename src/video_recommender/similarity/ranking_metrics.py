"""How good ranked lists are: the definitions of the recommenders project (github.com/recommenders-team/recommenders).

A list's relevant videos are those of its own category. A video with nothing relevant among its candidates cannot be
judged and is left out of the means.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from video_recommender.similarity.exact_search import Labels, Matrix, unit_rows

LISTS_PER_BLOCK = 256


@dataclass(frozen=True)
class JudgedLists:
    """Which of the recommended videos are relevant, and how many relevant ones there were to find.

    Attributes:
        hits: bool, shape (lists, k), best rank first: whether the video at that rank is relevant; False where the
            list is shorter.
        relevant: int, shape (lists,): relevant videos among the candidates.
    """

    hits: NDArray[np.bool_]
    relevant: NDArray[np.int64]

    def __post_init__(self) -> None:
        if (self.hits.sum(axis=1) > self.relevant).any():
            raise ValueError("A list holds more relevant videos than there are: count the relevant ones again")

    @property
    def judgeable(self) -> "JudgedLists":
        """The lists that had something to find."""
        return JudgedLists(self.hits[self.relevant > 0], self.relevant[self.relevant > 0])


def draw_queries(videos: int, at_most: int, seed: int) -> NDArray[np.int64]:
    """Draw the videos whose lists are judged.

    Args:
        videos: how many there are.
        at_most: how many to draw, so that the time for it grows no faster than the number of videos.
        seed: of the draw.

    Returns:
        Their row numbers in ascending order.
    """
    return np.sort(np.random.default_rng(seed).permutation(videos)[:at_most])


def judge_lists(
    positions: NDArray[np.int64], queries: NDArray[np.int64], categories: pd.Series, labels: Labels
) -> JudgedLists:
    """Tell which of the recommended videos are of the query's category.

    Args:
        positions: row numbers of the recommended videos, shape (queries, k); -1 where a list is shorter.
        queries: row numbers of the videos for which they are recommended.
        categories: of all videos.
        labels: of all videos; no video is recommended another with its own.

    Returns:
        See `JudgedLists`.
    """
    kinds = categories.factorize()[0]
    same_category = categories.groupby(kinds).transform("size").to_numpy(np.int64)
    same_label = categories.groupby([kinds, labels]).transform("size").to_numpy(np.int64)
    hits = (positions >= 0) & (kinds[positions] == kinds[queries, np.newaxis])
    return JudgedLists(hits, (same_category - same_label)[queries])


def precision_at_k(lists: JudgedLists) -> float:
    """Precision@k: hits in the list divided by k, averaged over lists.

    As in `precision_at_k` of recommenders, the divisor is k even where a list is shorter or fewer than k relevant
    videos exist, so that the best possible value may lie below 1.

    Returns:
        0 to 1; NaN if no list can be judged.
    """
    return _mean(lists.judgeable.hits.mean(axis=1))


def ndcg_at_k(lists: JudgedLists) -> float:
    """Return nDCG@k with binary relevance: DCG / ideal DCG, averaged over lists (Järvelin and Kekäläinen 2002).

    DCG = Σ hit(rank) / log2(1 + rank); the ideal list has its min(k, relevant) hits first. As in `ndcg_at_k` of
    recommenders (`score_type="binary"`; the base of the logarithm cancels out).

    Returns:
        0 to 1; NaN if no list can be judged.
    """
    judged = lists.judgeable
    discounts = 1 / np.log2(np.arange(2, judged.hits.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(judged.relevant, len(discounts)) - 1]
    return _mean(judged.hits @ discounts / ideal)


def map_at_k(lists: JudgedLists) -> float:
    """Return MAP@k: Σ over hits of precision@rank, divided by min(k, relevant), averaged over lists.

    As in `map_at_k` of recommenders and Spark's `RankingMetrics.meanAveragePrecisionAt`.

    Returns:
        0 to 1; NaN if no list can be judged.
    """
    judged = lists.judgeable
    ranks = np.arange(1, judged.hits.shape[1] + 1)
    precisions = np.where(judged.hits, judged.hits.cumsum(axis=1) / ranks, 0)
    return _mean(precisions.sum(axis=1) / np.minimum(judged.relevant, len(ranks)))


def intra_list_diversity(positions: NDArray[np.int64], points: Matrix) -> float:
    """Mean of 1 - cosine over the pairs within a list, averaged over lists (Ziegler et al. 2005).

    As in `diversity` of recommenders, with the cosine of the points as the similarity of items.

    Args:
        positions: shape (lists, k): row numbers in `points`; -1 where a list is shorter.
        points: shape (videos, axes); the same space for all systems that are compared.

    Returns:
        0 (all alike) to 2 (opposites); NaN if no list has a pair.
    """
    lengths = (positions >= 0).sum(axis=1)
    paired, lengths = positions[lengths > 1], lengths[lengths > 1]
    similarities = np.empty(len(paired))
    for start in range(0, len(paired), LISTS_PER_BLOCK):
        rows = slice(start, start + LISTS_PER_BLOCK)
        listed = paired[rows]
        vectors = unit_rows(points[listed.ravel()]).reshape(*listed.shape, points.shape[1])
        vectors[listed < 0] = 0
        # |Σv|² holds every pair twice and each vector with itself once: no need for a matrix of pairs.
        similarities[rows] = (vectors.sum(axis=1) ** 2).sum(axis=1) - (vectors**2).sum(axis=(1, 2))
    return _mean(np.clip(1 - similarities / (lengths * (lengths - 1)), 0, 2))


def catalogue_coverage(positions: NDArray[np.int64], videos: int) -> float:
    """Share of the videos that are recommended at least once (`catalog_coverage` of recommenders).

    Args:
        positions: shape (lists, k): row numbers of videos; -1 where a list is shorter.
        videos: how many videos could be recommended.

    Returns:
        0 to 1; NaN if nothing is recommended.
    """
    recommended = np.unique(positions[positions >= 0])
    return len(recommended) / videos if len(recommended) else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
