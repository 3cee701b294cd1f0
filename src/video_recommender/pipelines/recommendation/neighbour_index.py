"""An index that proposes near videos without comparing a video to all others."""

from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

AXES: Final = 512
"""To how many axes points are reduced. Of points that are mixtures of 1,000 objects, little lies outside of so many."""
LINKS: Final = 32
"""Of each point in the graph; more find more, and take more memory."""
BUILD_BREADTH: Final = 256
"""How many points are looked at to find the links of a new one."""
SAMPLE: Final = 20_000
"""Points from which the axes, and the range of each coordinate, are learnt."""
POINTS_PER_BLOCK: Final = 16_384

Positions = NDArray[np.int64]


class NeighbourIndex:
    """A graph in which every point is linked to near ones, walked greedily: HNSW (Malkov and Yashunin 2018), by FAISS.

    Building takes n log n steps and a query log n. The graph keeps its own copy of the points, reduced to the axes
    along which they lie and with each coordinate in 8 bits: what it proposes is to be ranked by the points themselves.
    It is built by one thread, since several would link the points in another order each time: the same points give the
    same bytes.

    Args:
        points: float32, shape (videos, axes), of any length: only their direction counts.

    Attributes:
        breadth: how many points a query looks at beyond which it walks no further; more find more and take longer.
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        self.breadth = 0
        with threadpool_limits(1):
            sample = normalize(points[:: -(-len(points) // SAMPLE)])
            self._rotation = _leading_axes(sample)
            self._index = _empty_index(self._reduced(sample))
            for start in range(0, len(points), POINTS_PER_BLOCK):
                self._index.add(self._reduced(normalize(points[start : start + POINTS_PER_BLOCK])))

    def __getstate__(self) -> dict[str, Any]:
        return {"breadth": self.breadth, "rotation": self._rotation, "bytes": _faiss().serialize_index(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.breadth, self._rotation = state["breadth"], state["rotation"]
        self._index = _faiss().deserialize_index(state["bytes"])

    def with_breadth(self, breadth: int) -> Self:
        """Set how thoroughly it is searched."""
        self.breadth = breadth
        return self

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
        excluded = faiss.IDSelectorBatch(np.empty(0, np.int64) if without is None else without)
        others = faiss.IDSelectorNot(excluded)
        parameters = faiss.SearchParametersHNSW(
            efSearch=max(self.breadth, count), sel=None if without is None else others
        )
        found: Positions = self._index.search(self._reduced(normalize(queries)), count, params=parameters)[1]
        return found

    def _reduced(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Coordinates along the leading axes; one more holds what is left, so that the points are of unit length."""
        if self._rotation is None:
            return points
        leading = points @ self._rotation
        left = np.sqrt(np.clip((points**2).sum(axis=1) - (leading**2).sum(axis=1), 0, None))
        return np.column_stack([leading, left])


def _leading_axes(points: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The axes along which the points lie most, one fewer than `AXES`; None where they have no more than that."""
    if points.shape[1] <= AXES:
        return None
    vectors = np.linalg.eigh((points.T @ points).astype(np.float64))[1]
    return np.ascontiguousarray(vectors[:, :-AXES:-1], dtype=np.float32)


def _empty_index(sample: NDArray[np.float32]) -> Any:
    faiss = _faiss()
    index = faiss.IndexHNSWSQ(sample.shape[1], faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_BREADTH
    index.train(sample)
    return index


def _faiss() -> Any:
    import faiss  # here: its threads must not be started in a process that only infers

    return faiss  # whose types lack half of it
