"""An index that proposes near videos without comparing a video to all others."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

AXES: Final = 512
"""To how many axes points are reduced. Of points that are mixtures of 1,000 objects, little lies outside of so many."""
AXES_PER_CODE: Final = 2
CODES: Final = 16
"""What 4 bits tell apart."""
CELLS_PER_ROOT: Final = 4
"""Cells for each unit of the square root of the number of points."""
POINTS_PER_CELL: Final = 32
"""At least, on average."""
SAMPLE: Final = 100_000
"""Points from which the axes, and the range of each coordinate, are learnt."""
POINTS_PER_BLOCK: Final = 16_384

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Effort:
    """How thoroughly an index is searched; more finds more and takes longer.

    Attributes:
        cells: how many a query reads.
        rough: how many points codes choose for each that is proposed, to be compared by coordinates in 8 bits.
    """

    cells: int
    rough: int


class NeighbourIndex:
    """Cells around centres, of which a query reads the nearest: IVF with product codes (Jégou et al. 2011), by FAISS.

    A code holds two axes in 4 bits, for the processor to compare sixteen at a time (André et al. 2015); what the codes
    choose is compared by coordinates in 8 bits. What is proposed is to be ranked by the points themselves. Building
    takes n √n steps, of which each is tiny, and a query √n. It is built by one thread: the same points give the same
    bytes.

    Args:
        points: float32, shape (videos, axes), of any length: only their direction counts.

    Attributes:
        effort: how thoroughly it is searched.
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        self.effort = Effort(1, 1)
        with threadpool_limits(1):
            sample = normalize(points[:: -(-len(points) // SAMPLE)])
            self._rotation = _leading_axes(sample)
            self._turn = _turn(min(points.shape[1], AXES - 1) + 1)
            self._index = _empty_index(self._reduced(sample), len(points))
            for start in range(0, len(points), POINTS_PER_BLOCK):
                self._add(points[start : start + POINTS_PER_BLOCK])
        self._rows = self._numbers = np.arange(len(points))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_index": _faiss().serialize_index(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({**state, "_index": _faiss().deserialize_index(state["_index"])})

    def with_effort(self, effort: Effort) -> Self:
        """Set how thoroughly it is searched."""
        self.effort = effort
        return self

    def with_points(self, points: NDArray[np.float32], rows: Positions) -> "NeighbourIndex":
        """Put more points into its cells; these stay where they are, so that it takes as long as for the new points.

        Args:
            points: shape (new, axes), of any length.
            rows: the row number that each will have among all points, ascending; the others follow in their order.

        Returns:
            Another index, of all points.
        """
        longer = deepcopy(self)
        others = np.delete(np.arange(len(self._rows) + len(rows)), rows)
        longer._rows = np.concatenate([others[self._rows], rows])  # of each number by which FAISS knows a point
        longer._numbers = np.argsort(longer._rows)
        with threadpool_limits(1):
            longer._add(points)
        return longer

    def propose(self, queries: NDArray[np.float32], count: int, without: Positions | None = None) -> Positions:
        """Propose near points, nearest first as far as the index knows.

        Args:
            queries: shape (queries, axes), of any length.
            count: how many per query.
            without: row numbers of points that none may be proposed of.

        Returns:
            Row numbers, shape (queries, count); -1 where too few are found.
        """
        faiss = _faiss()
        excluded = faiss.IDSelectorBatch(np.empty(0, np.int64) if without is None else self._numbers[without])
        others = faiss.IDSelectorNot(excluded)
        inner = faiss.SearchParametersIVF(nprobe=self.effort.cells, sel=None if without is None else others)
        parameters = faiss.IndexRefineSearchParameters(k_factor=self.effort.rough, base_index_params=inner)
        found: Positions = self._index.search(self._reduced(normalize(queries)), count, params=parameters)[1]
        return np.where(found >= 0, self._rows[found], found)

    def _add(self, points: NDArray[np.float32]) -> None:
        self._index.add(self._reduced(normalize(points)))

    def _reduced(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Coordinates along the leading axes; one more holds what is left, so that the points are of unit length."""
        leading = points if self._rotation is None else points @ self._rotation
        left = np.sqrt(np.clip((points**2).sum(axis=1) - (leading**2).sum(axis=1), 0, None))
        axes = leading.shape[1]
        turned: NDArray[np.float32] = leading @ self._turn[:axes] + left[:, np.newaxis] * self._turn[axes]
        return turned


def _turn(axes: int) -> NDArray[np.float32]:
    """A random rotation, into whole codes: these serve all axes alike, so that none should hold more than another."""
    whole = -(-axes // AXES_PER_CODE) * AXES_PER_CODE
    return np.linalg.qr(np.random.default_rng(0).standard_normal((whole, whole)))[0].astype(np.float32)


def _leading_axes(points: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The axes along which the points lie most, one fewer than `AXES`; None where they have no more than that."""
    if points.shape[1] <= AXES:
        return None
    vectors = np.linalg.eigh((points.T @ points).astype(np.float64))[1]
    return np.ascontiguousarray(vectors[:, :-AXES:-1], dtype=np.float32)


def _empty_index(sample: NDArray[np.float32], points: int) -> Any:
    faiss = _faiss()
    axes = sample.shape[1]
    cells = max(1, min(int(CELLS_PER_ROOT * points**0.5), points // POINTS_PER_CELL))
    coarse = faiss.IndexFlatIP(axes)
    coded = faiss.IndexIVFPQFastScan(coarse, axes, cells, axes // AXES_PER_CODE, 4, faiss.METRIC_INNER_PRODUCT)
    coded.by_residual = True
    for clustering in (coded.cp, coded.pq.cp):
        clustering.niter, clustering.max_points_per_centroid, clustering.min_points_per_centroid = 8, 64, 1
    fine = faiss.IndexScalarQuantizer(axes, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    for part in (coded, fine):
        part.train(np.resize(sample, (max(len(sample), CODES), axes)))
    index = faiss.IndexRefine(coded, fine)
    # FAISS frees what belongs to an index together with it, and Python must not
    index.own_fields = index.own_refine_index = coded.own_fields = True
    for part in (coarse, coded, fine):
        part.this.disown()
    return index


def _faiss() -> Any:
    import faiss  # here: its threads must not be started in a process that only infers

    return faiss  # whose types lack half of it
