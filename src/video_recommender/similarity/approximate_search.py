"""The nearest of very many vectors: an index proposes candidates, which are ranked by their exact similarity."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.similarity.exact_search import (
    Labels,
    Neighbours,
    best_of,
    cosine_scores,
    find_neighbours,
    unit_rows,
)
from video_recommender.similarity.neighbour_index import Effort, NeighbourIndex, Positions

POOL: Final = 6
"""Candidates for each neighbour that is wanted, for the index knows similarities only roughly."""
SPARE: Final = 10
"""Of these, how many more than are wanted to compare in 64 bits: rounding in 32 bits leaves out none that is better."""

LEAST_EFFORT: Final = Effort(cells=16, rough=4)
MOST_EFFORT: Final = Effort(cells=512, rough=16)
WANTED_RECALL: Final = 0.993
"""A little above the 0.99 that is promised, because it is measured on a sample."""

SAMPLED_QUERIES: Final = 500
SAMPLED_NEIGHBOURS: Final = 10
SAME: Final = 1e-8
"""Similarities that differ by less are equally good."""

QUERIES_PER_BLOCK: Final = 2048
"""The index reads each cell once for all of them."""
QUERIES_PER_RANKING: Final = 32
"""Their candidates fit into a cache."""


def fit_index(points: NDArray[np.float32], seed: int = 0) -> tuple[NeighbourIndex, float]:
    """Build an index and search it as thoroughly as it takes for it to find what an exact search finds.

    Args:
        points: shape (videos, axes), of any length.
        seed: draws the points on which that is measured.

    Returns:
        The index, and its recall: of the ten nearest of a point, how many are found, or others that are as near. With
        points in no order at all it may lie below `WANTED_RECALL` however thoroughly the index is searched.
    """
    index = NeighbourIndex(points)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(points))[:SAMPLED_QUERIES])
    queries = points[drawn]
    exact = find_neighbours(cosine_scores(queries, points), drawn, np.arange(len(points)), SAMPLED_NEIGHBOURS)

    def recall_with(effort: Effort) -> float:
        found = find_near(index.with_effort(effort), points, queries, drawn, None, SAMPLED_NEIGHBOURS)
        return float((found.similarities >= exact.similarities[:, -1:] - SAME).mean())

    effort, recall = LEAST_EFFORT, recall_with(LEAST_EFFORT)
    while recall < WANTED_RECALL and (more := _more(effort)):
        recalls = [recall_with(tried) for tried in more]
        effort, recall = more[int(np.argmax(recalls))], max(recalls)
    return index.with_effort(effort), recall


def _more(effort: Effort) -> list[Effort]:
    """Twice as much of the one or the other: of points in tight clusters codes tell too few apart, of others cells."""
    doubled = (replace(effort, cells=2 * effort.cells), replace(effort, rough=2 * effort.rough))
    return [more for more in doubled if more.cells <= MOST_EFFORT.cells and more.rough <= MOST_EFFORT.rough]


def find_near(
    index: NeighbourIndex,
    points: NDArray[np.float32],
    queries: NDArray[np.float32],
    query_labels: Labels,
    labels: Labels | None,
    k: int,
) -> Neighbours:
    """Find k candidates that score highest, for every query, or nearly so: `find_neighbours` without all comparisons.

    Similarities are exact, and among the proposed candidates ties are broken as there. Where fewer than k are proposed
    that may be a query's neighbours, all are compared.

    Args:
        index: of the points.
        points: the candidates, shape (candidates, axes).
        queries: shape (queries, axes).
        query_labels: shape (queries,).
        labels: of the candidates; None: the label of each is its row number.
        k: how many neighbours, at least 1.

    Returns:
        See `Neighbours`.
    """
    crowds = _crowds(query_labels, labels)
    near = Neighbours(np.full((len(queries), k), -1), np.full((len(queries), k), np.nan))
    for rows, members in crowds:
        for start in range(0, len(rows), QUERIES_PER_BLOCK):
            block = rows[start : start + QUERIES_PER_BLOCK]
            best = _nearest_proposed(index, points, queries[block], members, query_labels[block], k)
            near.positions[block], near.similarities[block] = best.positions, best.similarities
    carriers = np.zeros(len(queries), np.int64)
    for rows, members in crowds:
        carriers[rows] = (query_labels[rows] >= 0) if members is None else len(members)
    is_short = (near.positions >= 0).sum(axis=1) < np.minimum(len(points) - carriers, k)
    if is_short.any():
        every = np.arange(len(points)) if labels is None else labels
        exact = find_neighbours(cosine_scores(queries[is_short], points), query_labels[is_short], every, k)
        near.positions[is_short], near.similarities[is_short] = exact.positions, exact.similarities
    return near


def _crowds(query_labels: Labels, labels: Labels | None) -> list[tuple[NDArray[np.int64], Positions | None]]:
    """Rows of queries, and which candidates carry their label; None for queries whose label is their own row number."""
    if labels is None:
        return [(np.arange(len(query_labels)), None)]
    order = np.argsort(labels, kind="stable")
    wanted, crowd = np.unique(query_labels, return_inverse=True)
    first, last = (np.searchsorted(labels[order], wanted, side) for side in ("left", "right"))
    rows = np.split(np.argsort(crowd, kind="stable"), np.bincount(crowd).cumsum()[:-1])
    return [(rows[number], order[first[number] : last[number]]) for number in range(len(wanted))]


def _nearest_proposed(
    index: NeighbourIndex,
    points: NDArray[np.float32],
    queries: NDArray[np.float32],
    members: Positions | None,
    own: Labels,
    k: int,
) -> Neighbours:
    proposed = index.propose(queries, POOL * k + 1, without=members)
    is_excluded = (proposed < 0) | (proposed == own[:, np.newaxis] if members is None else False)
    compared = min(k + SPARE, POOL * k)
    scores = np.empty((len(queries), compared))
    likely = np.empty((len(queries), compared), np.int64)
    for start in range(0, len(queries), QUERIES_PER_RANKING):
        block = slice(start, start + QUERIES_PER_RANKING)
        cosines = _rough_cosines(points[proposed[block]], queries[block])
        likely[block] = np.argpartition(np.where(is_excluded[block], np.inf, -cosines), compared, axis=1)[:, :compared]
        chosen = np.take_along_axis(proposed[block], likely[block], axis=1)
        candidates = unit_rows(points[chosen.ravel()]).reshape(*chosen.shape, -1)
        scores[block] = (candidates @ unit_rows(queries[block])[:, :, np.newaxis])[:, :, 0]
    proposed, is_excluded = (np.take_along_axis(known, likely, axis=1) for known in (proposed, is_excluded))
    return best_of(scores, proposed, is_excluded, len(points), k)


def _rough_cosines(candidates: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """In float32, up to the length of the query: to choose which candidates are worth 64 bits."""
    lengths = np.sqrt(np.einsum("qca,qca->qc", candidates, candidates))
    cosines: NDArray[np.float32] = (candidates @ queries[:, :, np.newaxis])[:, :, 0]
    cosines /= np.maximum(lengths, np.finfo(np.float32).tiny)
    return cosines
