"""An index that proposes near videos without comparing a video to all others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

if TYPE_CHECKING:
    pass

LINKS: Final = 32
"""Of each point in the graph; more find more, and take more memory."""
BUILD_BREADTH: Final = 128
"""How many points are looked at to find the links of a new one."""

RANGE_SAMPLE: Final = 10_000
"""Points from which the range of each coordinate is learnt."""
POINTS_PER_BLOCK: Final = 16_384

Positions = NDArray[np.int64]


class NeighbourIndex:
    """A graph in which every point is linked to near ones, walked greedily: HNSW (Malkov and Yashunin 2018), by FAISS.

    Building takes n log n steps and a query log n. The graph keeps its own copy of the points, each coordinate in 8
    bits: what it proposes is to be ranked by the points themselves. It is built by one thread, since several would link
    the points in another order each time: the same points give the same bytes.

    Args:
        points: float32, shape (videos, axes), of any length: only their direction counts.

    Attributes:
        breadth: how many points a query looks at beyond which it walks no further; more find more and take longer.
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        import faiss  # here: its threads must not be started in a process that only infers

        axes = points.shape[1]
        index = faiss.IndexHNSWSQ(axes, faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_BREADTH
        with _one_thread():
            index.train(normalize(points[:: max(1, len(points) // RANGE_SAMPLE)]))
            for start in range(0, len(points), POINTS_PER_BLOCK):
                index.add(normalize(points[start : start + POINTS_PER_BLOCK]))
        self.breadth = 0
        self._index: faiss.IndexHNSWSQ = index

    def __getstate__(self) -> dict[str, Any]:
        import faiss

        return {"breadth": self.breadth, "bytes": faiss.serialize_index(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        import faiss

        self.breadth = state["breadth"]
        self._index = faiss.deserialize_index(state["bytes"])

    def with_breadth(self, breadth: int) -> Self:
        """Set how thoroughly it is searched."""
        self.breadth = breadth
        return self

    def propose(self, queries: NDArray[np.float32], count: int, without: Positions | None = None) -> Positions:
        """Propose near points, nearest first as far as the index knows.

        Args:
            queries: shape (queries, axes).
            count: how many per query.
            without: row numbers of points that none may be proposed of.

        Returns:
            Row numbers, shape (queries, count); -1 where too few are found.
        """
        import faiss

        excluded = faiss.IDSelectorBatch(np.empty(0, np.int64) if without is None else without)
        others = faiss.IDSelectorNot(excluded)
        parameters = faiss.SearchParametersHNSW(
            efSearch=max(self.breadth, count), sel=None if without is None else others
        )
        found: Positions = self._index.search(np.ascontiguousarray(queries), count, params=parameters)[1]
        return found


@contextmanager
def _one_thread() -> Iterator[None]:
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
