"""Recommend the nearest videos in object space."""

from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, PositiveInt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from video_recommender.schemas import VideoPoints
from video_recommender.similarity.approximate_neighbours import NeighbourIndex, find_neighbours_with, fit_index
from video_recommender.similarity.nearest_neighbours import Labels, cosine_scores, find_neighbours, group_labels

INDEX_FROM: Final = 10_000
"""Minimum number of videos for which building and searching an index is faster than comparing all pairs."""
UNKNOWN: Final = -1  # label of a new video, which no candidate has


class RecommendationOptions(BaseModel, extra="forbid", frozen=True):
    """Options of recommendations (parameters_recommendation.yml)."""

    neighbours: PositiveInt = 10
    exclude_same_group: bool = False
    shared_objects: PositiveInt = 3


class VideoRecommender(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Recommends the k nearest neighbours by cosine similarity.

    A small corpus is searched exactly. In a large one, an approximate index proposes the candidates (see
    `NeighbourIndex`). Ties are broken by the alphabetical order of `video_id`.

    Args:
        index_from: minimum number of videos for which an index is built. If None, no index is built.

    Example:
        >>> import pandas as pd
        >>> points = pd.DataFrame([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], index=["pets/cat", "pets/dog", "food/pie"])
        >>> recommended = VideoRecommender().fit(points).recommend(points.loc[["pets/cat"]], k=1)
        >>> recommended["recommended_video_id"].item()
        'pets/dog'

    Attributes:
        video_ids_: videos that can be recommended, in alphabetical order.
        points_: float32, shape (videos, axes).
        groups_: group number of each video, int64, shape (videos,).
        originals_: `video_id` of the original of each near duplicate; the index is the `video_id` of the duplicate.
        index_: approximate index; None if the search is exact.
        recall_: recall@10 of the index, estimated on a sample; 1 if the search is exact.
    """

    def __init__(self, index_from: int | None = INDEX_FROM) -> None:
        self.index_from = index_from

    def fit(
        self, points: DataFrame[VideoPoints], groups: pd.Series | None = None, originals: pd.Series | None = None
    ) -> Self:
        """Store the videos that can be recommended, and build an index if there are at least `index_from` videos.

        `groups` has the group of each video, and `originals` the original of each near duplicate that is not among the
        points. Both have the index `video_id`. An original is not recommended for its duplicates.
        """
        if not points.index.is_unique:
            raise ValueError(f"{points.index[points.index.duplicated()][0]} has two points: pass one row per video")
        ordered = points.sort_index()
        self.video_ids_ = ordered.index
        self.axes_ = ordered.columns
        self.points_ = _finite(ordered)
        self.groups_ = group_labels(ordered.index, groups)
        self.originals_ = pd.Series(dtype="str") if originals is None else originals
        self.index_: NeighbourIndex | None = None
        self.recall_ = 1.0
        if self.index_from is not None and len(ordered) >= self.index_from:
            self.index_, self.recall_ = fit_index(self.points_)
        return self

    def recommend(self, points: DataFrame[VideoPoints], k: int = 10, exclude_same_group: bool = False) -> pd.DataFrame:
        """Find the k nearest videos of each point, without the video itself and, optionally, without its group.

        The points can belong to new videos, which have no group.

        Returns:
            `video_id`, `rank` (1-based), `recommended_video_id` and `similarity` (cosine, -1 to 1). Each point has k
            rows in order of rank, or fewer rows in a smaller corpus.

        Raises:
            ValueError: if k is less than 1, the axes differ from those of `fit`, or a point is not finite.
        """
        check_is_fitted(self)
        if k < 1:
            raise ValueError(f"Cannot recommend {k} videos: set k to at least 1")
        if not points.columns.equals(self.axes_):
            raise ValueError(
                "The axes of the points differ from those that the recommender was fitted to: run feature_engineering "
                "and recommendation again"
            )
        vectors = _finite(points)
        own, labels = self._labels(points.index, exclude_same_group)
        if self.index_ is not None:
            neighbours = find_neighbours_with(self.index_, self.points_, vectors, own, labels, k)
        else:
            candidates = np.arange(len(self.points_)) if labels is None else labels
            neighbours = find_neighbours(cosine_scores(vectors, self.points_), own, candidates, k)
        is_found = neighbours.positions >= 0
        query, rank = np.nonzero(is_found)
        return pd.DataFrame(
            {
                "video_id": points.index.take(query),
                "rank": rank + 1,
                "recommended_video_id": self.video_ids_.take(neighbours.positions[is_found]),
                "similarity": neighbours.similarities[is_found],
            }
        )

    def predict(self, points: DataFrame[VideoPoints]) -> pd.DataFrame:
        """Call `recommend`. MLflow serves models through this method."""
        return self.recommend(points)

    def _labels(self, video_ids: pd.Index, exclude_same_group: bool) -> tuple[Labels, Labels | None]:
        """Return labels of queries and candidates: groups, or the row of each query or its original, and None."""
        originals = self.originals_.reindex(video_ids)
        own = self.video_ids_.get_indexer(pd.Index(np.where(originals.isna(), video_ids, originals)))
        if exclude_same_group:
            return np.where(own >= 0, self.groups_[own], UNKNOWN), self.groups_
        return own, None


def _finite(points: pd.DataFrame) -> NDArray[np.float32]:
    # pandas stores columns contiguously, but the search is much faster with contiguous rows.
    vectors = np.ascontiguousarray(points.to_numpy(dtype=np.float32))
    is_finite = np.isfinite(vectors).all(axis=1)
    if not is_finite.all():
        raise ValueError(f"The point of {points.index[~is_finite][0]} is not finite: run feature_engineering again")
    return vectors
