"""Find approximate nearest neighbours: an index proposes candidates, which are ranked by exact similarity."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from video_recommender.similarity.nearest_neighbours import (
    Labels,
    Neighbours,
    cosine_scores,
    find_neighbours,
    select_best,
    unit_rows,
)

AXES: Final = 512
"""Dimensions after reduction. Points are mixtures of 1,000 objects, so the remaining axes have little variance."""
AXES_PER_CODE: Final = 2
CODES: Final = 16  # values of a 4-bit code
CELLS_PER_ROOT: Final = 4  # cells per square root of the number of points
MIN_POINTS_PER_CELL: Final = 32  # minimum mean number of points per cell
SAMPLE: Final = 100_000  # maximum number of points to train the index on
POINTS_PER_BLOCK: Final = 16_384
CANDIDATES_PER_NEIGHBOUR: Final = 6  # several, because the similarities of the index are approximate
SPARE_CANDIDATES: Final = 10  # candidates beyond k that are compared in float64, because float32 has rounding errors
WANTED_RECALL: Final = 0.993  # slightly above the documented 0.99, because it is estimated on a sample
SAMPLED_QUERIES: Final = 500
SAMPLED_NEIGHBOURS: Final = 10
SEED: Final = 0  # independent of the seed of the run, so that the same points always give the same index
TIE: Final = 1e-8  # similarities that differ by less are a tie
QUERIES_PER_BLOCK: Final = 2048  # queries per search, during which the index reads each cell once
QUERIES_PER_RANKING: Final = 32  # the candidates of this many queries fit into the CPU cache

Points = NDArray[np.float32]
Positions = NDArray[np.int64]


class SearchEffort(NamedTuple):
    """Search parameters of FAISS. Higher values increase recall and search time."""

    cells: int  # number of cells that a query reads (`nprobe`)
    refined: int  # number of points compared by 8-bit coordinates per proposed candidate (`k_factor`)


MIN_EFFORT: Final = SearchEffort(cells=16, refined=4)
MAX_EFFORT: Final = SearchEffort(cells=512, refined=16)


class NeighbourIndex:
    """Inverted file with product quantisation (IVFPQ, Jégou et al. 2011) in FAISS, for cosine similarity.

    A query reads the cells with the nearest centres. It compares the points of these cells by 4-bit codes of two axes
    each with SIMD (André et al. 2015), and the best points by 8-bit coordinates. Building takes O(n √n) time, and a
    query takes O(√n) time. One thread builds the index, so that the same points give the same bytes.

    Args:
        points: float32, shape (videos, axes), of any length.

    Attributes:
        effort: search parameters.
    """

    def __init__(self, points: Points) -> None:
        self.effort = MIN_EFFORT
        with threadpool_limits(1):
            sample = normalize(points[:: -(-len(points) // SAMPLE)])
            self._projection = _principal_axes(sample)
            self._rotation = _random_rotation(min(points.shape[1], AXES - 1) + 1)
            self._index = _empty_index(self._reduce(sample), len(points))
            for start in range(0, len(points), POINTS_PER_BLOCK):
                self._index.add(self._reduce(normalize(points[start : start + POINTS_PER_BLOCK])))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_index": _faiss().serialize_index(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({**state, "_index": _faiss().deserialize_index(state["_index"])})

    def propose(self, queries: Points, count: int, excluded: Positions | None = None) -> Positions:
        """Propose near points for each query, in approximate order of distance.

        Queries have the shape (queries, axes) and any length. Points with a row number in `excluded` are not proposed.
        Returns row numbers of points, shape (queries, count), or -1 for missing points.
        """
        faiss = _faiss()
        selector = None
        if excluded is not None:
            batch = faiss.IDSelectorBatch(excluded)  # a variable, because FAISS does not keep it alive
            selector = faiss.IDSelectorNot(batch)
        cells = faiss.SearchParametersIVF(nprobe=self.effort.cells, sel=selector)
        parameters = faiss.IndexRefineSearchParameters(k_factor=self.effort.refined, base_index_params=cells)
        found: Positions = self._index.search(self._reduce(normalize(queries)), count, params=parameters)[1]
        return found

    def _reduce(self, points: Points) -> Points:
        """Project points on the principal axes, add the residual as an axis to keep the unit length, and rotate."""
        leading = points if self._projection is None else points @ self._projection
        residual = np.sqrt(np.clip((points**2).sum(axis=1) - (leading**2).sum(axis=1), 0, None))
        axes = leading.shape[1]
        rotated: Points = leading @ self._rotation[:axes] + residual[:, np.newaxis] * self._rotation[axes]
        return rotated


def fit_index(points: Points) -> tuple[NeighbourIndex, float]:
    """Build an index, increase its effort until it reaches `WANTED_RECALL`, and return the index and its recall.

    Recall, 0 to 1, is the share of the ten nearest neighbours, or of points at the same distance, that the index finds
    for a sample of queries. For unstructured points, recall can be below `WANTED_RECALL` even at `MAX_EFFORT`.
    """
    index = NeighbourIndex(points)
    sample = np.sort(np.random.default_rng(SEED).permutation(len(points))[:SAMPLED_QUERIES])
    queries = points[sample]
    exact = find_neighbours(cosine_scores(queries, points), sample, np.arange(len(points)), SAMPLED_NEIGHBOURS)

    def recall_with(effort: SearchEffort) -> float:
        index.effort = effort
        found = find_neighbours_with(index, points, queries, sample, None, SAMPLED_NEIGHBOURS)
        return float((found.similarities >= exact.similarities[:, -1:] - TIE).mean())

    effort, recall = MIN_EFFORT, recall_with(MIN_EFFORT)
    while recall < WANTED_RECALL and (more := _more_effort(effort)):
        recalls = [recall_with(tried) for tried in more]
        effort, recall = more[int(np.argmax(recalls))], max(recalls)
    index.effort = effort
    return index, recall


def find_neighbours_with(
    index: NeighbourIndex, points: Points, queries: Points, query_labels: Labels, labels: Labels | None, k: int
) -> Neighbours:
    """Find the k nearest neighbours of every query among the candidates that an index proposes.

    Candidates are `points`, shape (candidates, axes), with `labels`, shape (candidates,), by default their row numbers.
    Similarities are exact, and ties are broken as in `find_neighbours`. If the index proposes fewer than k allowed
    candidates for a query, the query is compared with all candidates.
    """
    found = Neighbours(np.full((len(queries), k), -1), np.full((len(queries), k), np.nan))
    allowed = np.full(len(queries), len(points))
    for rows, excluded in _exclusions(query_labels, labels):
        for start in range(0, len(rows), QUERIES_PER_BLOCK):
            block = rows[start : start + QUERIES_PER_BLOCK]
            best = _rank_proposed(index, points, queries[block], excluded, query_labels[block], k)
            found.positions[block], found.similarities[block] = best.positions, best.similarities
        allowed[rows] -= (query_labels[rows] >= 0) if excluded is None else len(excluded)
    is_short = (found.positions >= 0).sum(axis=1) < np.minimum(allowed, k)
    if is_short.any():
        candidate_labels = np.arange(len(points)) if labels is None else labels
        exact = find_neighbours(cosine_scores(queries[is_short], points), query_labels[is_short], candidate_labels, k)
        found.positions[is_short], found.similarities[is_short] = exact.positions, exact.similarities
    return found


def _more_effort(effort: SearchEffort) -> list[SearchEffort]:
    """List the next levels of effort. Tight clusters need more refined points; other distributions need more cells."""
    doubled = effort._replace(cells=2 * effort.cells), effort._replace(refined=2 * effort.refined)
    return [more for more in doubled if more.cells <= MAX_EFFORT.cells and more.refined <= MAX_EFFORT.refined]


def _exclusions(query_labels: Labels, labels: Labels | None) -> list[tuple[Positions, Positions | None]]:
    """List the rows of queries and of candidates for each label. Without labels, a query excludes its own row."""
    if labels is None:
        return [(np.arange(len(query_labels)), None)]
    order = np.argsort(labels, kind="stable")
    wanted, number = np.unique(query_labels, return_inverse=True)
    first, last = (np.searchsorted(labels[order], wanted, side) for side in ("left", "right"))
    rows = np.split(np.argsort(number, kind="stable"), np.bincount(number).cumsum()[:-1])
    return [(rows[label], order[first[label] : last[label]]) for label in range(len(wanted))]


def _rank_proposed(
    index: NeighbourIndex, points: Points, queries: Points, excluded: Positions | None, own: Labels, k: int
) -> Neighbours:
    proposed = index.propose(queries, CANDIDATES_PER_NEIGHBOUR * k + 1, excluded)
    is_excluded = (proposed < 0) | (proposed == own[:, np.newaxis] if excluded is None else False)
    compared = min(k + SPARE_CANDIDATES, CANDIDATES_PER_NEIGHBOUR * k)
    scores = np.empty((len(queries), compared))
    best = np.empty((len(queries), compared), np.int64)
    for start in range(0, len(queries), QUERIES_PER_RANKING):
        block = slice(start, start + QUERIES_PER_RANKING)
        candidates = points[proposed[block]]
        cosines = (candidates @ queries[block, :, np.newaxis])[:, :, 0]  # times the length of the query
        cosines /= np.maximum(np.sqrt(np.einsum("qca,qca->qc", candidates, candidates)), np.finfo(np.float32).tiny)
        cosines[is_excluded[block]] = -np.inf
        best[block] = np.argpartition(-cosines, compared, axis=1)[:, :compared]
        chosen = np.take_along_axis(proposed[block], best[block], axis=1)
        vectors = unit_rows(points[chosen.ravel()]).reshape(*chosen.shape, -1)
        scores[block] = (vectors @ unit_rows(queries[block])[:, :, np.newaxis])[:, :, 0]
    proposed, is_excluded = (np.take_along_axis(values, best, axis=1) for values in (proposed, is_excluded))
    return select_best(scores, proposed, is_excluded, len(points), k)


def _random_rotation(axes: int) -> Points:
    """Draw a rotation that spreads the variance evenly over a number of axes that is a multiple of `AXES_PER_CODE`."""
    whole = -(-axes // AXES_PER_CODE) * AXES_PER_CODE
    return np.linalg.qr(np.random.default_rng(SEED).standard_normal((whole, whole)))[0].astype(np.float32)


def _principal_axes(points: Points) -> Points | None:
    """Compute the first `AXES` - 1 principal axes without centring. Returns None if there are at most `AXES` axes."""
    if points.shape[1] <= AXES:
        return None
    vectors = np.linalg.eigh((points.T @ points).astype(np.float64))[1]
    return np.ascontiguousarray(vectors[:, :-AXES:-1], dtype=np.float32)


def _empty_index(sample: Points, points: int) -> Any:
    faiss = _faiss()
    axes = sample.shape[1]
    cells = max(1, min(int(CELLS_PER_ROOT * points**0.5), points // MIN_POINTS_PER_CELL))
    coarse = faiss.IndexFlatIP(axes)
    coded = faiss.IndexIVFPQFastScan(coarse, axes, cells, axes // AXES_PER_CODE, 4, faiss.METRIC_INNER_PRODUCT)
    coded.by_residual = True
    for clustering in (coded.cp, coded.pq.cp):
        clustering.niter, clustering.max_points_per_centroid, clustering.min_points_per_centroid = 8, 64, 1
    fine = faiss.IndexScalarQuantizer(axes, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    for part in (coded, fine):
        part.train(np.resize(sample, (max(len(sample), CODES), axes)))
    index = faiss.IndexRefine(coded, fine)
    # The index frees its parts, so Python must not free them as well.
    index.own_fields = index.own_refine_index = coded.own_fields = True
    for part in (coarse, coded, fine):
        part.this.disown()
    return index


def _faiss() -> Any:
    import faiss  # local import, because FAISS starts threads, which inference processes must not have

    return faiss  # typed as Any, because its type stubs lack many attributes
