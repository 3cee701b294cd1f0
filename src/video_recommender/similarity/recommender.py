"""The nearest videos in object space, the same answer every time."""

from copy import copy
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, PositiveInt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from video_recommender.schemas import VideoPoints
from video_recommender.similarity.approximate_search import find_near, fit_index
from video_recommender.similarity.exact_search import Labels, cosine_scores, find_neighbours, group_labels
from video_recommender.similarity.neighbour_index import NeighbourIndex

UNKNOWN = -1
"""Label of a video that the recommender was not fitted on: no candidate carries it."""


class RecommendationOptions(BaseModel):
    """How videos are recommended and judged (parameters_recommendation.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    neighbours: PositiveInt = 10
    exclude_same_group: bool = False
    index_from: PositiveInt | None = 10_000
    shared_objects: PositiveInt = 3
    evaluated_videos: PositiveInt = 5000
    seed: int = 0


class VideoRecommender(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Recommend the nearest videos in object space: k nearest neighbours by cosine similarity.

    In a corpus of moderate size all videos are compared; in a larger one, an index proposes those that are (see
    `NeighbourIndex`). Ties go to the `video_id` that comes first in the alphabet.

    Args:
        index_from: with so many videos an index is built; None: never.

    Example:
        >>> import pandas as pd
        >>> points = pd.DataFrame([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], index=["pets/cat", "pets/dog", "food/pie"])
        >>> recommended = VideoRecommender().fit(points).recommend(points.loc[["pets/cat"]], k=1)
        >>> recommended["recommended_video_id"].item()
        'pets/dog'

    Attributes:
        video_ids_: the videos that can be recommended, in alphabetical order.
        axes_: the names of the axes of object space.
        points_: float32, shape (videos, axes).
        groups_: int64, shape (videos,): equal for videos that share a photo, a source or an uploader.
        originals_: the video that each near duplicate repeats, by `video_id`.
        index_: proposes the videos to compare; None where all are compared.
        recall_: how many of the ten nearest are found on average, as far as was measured; 1 where all are compared.
    """

    video_ids_: pd.Index
    axes_: pd.Index
    points_: NDArray[np.float32]
    groups_: Labels
    originals_: pd.Series
    index_: NeighbourIndex | None
    recall_: float

    def __init__(self, index_from: int | None = 10_000) -> None:
        self.index_from = index_from

    def fit(
        self, points: DataFrame[VideoPoints], groups: pd.Series | None = None, originals: pd.Series | None = None
    ) -> Self:
        """Remember the videos that can be recommended.

        Args:
            points: a row per video (index `video_id`), a column per axis.
            groups: by `video_id`, what videos have in common besides their objects; None: nothing.
            originals: by the `video_id` of near duplicates that are not among the points, the video that each repeats:
                it is never recommended for them either.

        Returns:
            Itself.

        Raises:
            ValueError: if a video comes twice or a coordinate is not a finite number.
        """
        if not points.index.is_unique:
            raise ValueError(f"Video {points.index[points.index.duplicated()][0]} has two points: give one per video")
        ordered = points.sort_index()
        self.video_ids_ = ordered.index
        self.axes_ = ordered.columns
        self.points_ = _finite(ordered)
        self.groups_ = group_labels(ordered.index, groups)
        self.originals_ = pd.Series(dtype="str") if originals is None else originals
        is_large = self.index_from is not None and len(ordered) >= self.index_from
        self.index_, self.recall_ = fit_index(self.points_) if is_large else (None, 1.0)
        return self

    def with_videos(
        self, points: DataFrame[VideoPoints], groups: pd.Series | None = None, originals: pd.Series | None = None
    ) -> "VideoRecommender":
        """Remember more videos, as if it had been fitted on them, too; an index keeps its cells.

        Args:
            points: of the new videos; those that it knows are left as they are.
            groups: as in `fit`, of all videos.
            originals: as in `fit`, of all near duplicates.

        Returns:
            Another recommender, for all videos.

        Raises:
            ValueError: if the axes differ, or a coordinate is not a finite number.
        """
        check_is_fitted(self)
        self._check_axes(points)
        new = points[~points.index.isin(self.video_ids_)].sort_index()
        if new.empty:
            return self
        ordered = pd.concat([pd.DataFrame(self.points_, self.video_ids_, self.axes_), new]).sort_index()
        if self.index_ is None:
            return VideoRecommender(self.index_from).fit(VideoPoints.validate(ordered), groups, originals)
        longer = copy(self)
        longer.video_ids_ = ordered.index
        longer.points_ = _finite(ordered)
        longer.groups_ = group_labels(ordered.index, groups)
        longer.originals_ = self.originals_ if originals is None else originals
        longer.index_ = self.index_.with_points(_finite(new), ordered.index.get_indexer(new.index))
        return longer

    def recommend(
        self,
        points: DataFrame[VideoPoints],
        k: int = 10,
        exclude_same_group: bool = False,
        among: pd.Index | None = None,
    ) -> pd.DataFrame:
        """Name the k nearest videos of each point, never the video itself.

        Args:
            points: a row per video (index `video_id`), the same axes as in `fit`; the videos may be new.
            k: how many videos to recommend, at least 1.
            exclude_same_group: never recommend a video of the same group either; a new video has no group.
            among: recommend only these of the videos that can be recommended; each is compared. None: all of them.

        Returns:
            `video_id`, `rank` (from 1), `recommended_video_id`, `similarity` (cosine): in the order of the points, k
            rows each, fewer where there are not as many others.

        Raises:
            ValueError: if k is not positive, the axes differ, or a coordinate is not a finite number.
        """
        check_is_fitted(self)
        if k < 1:
            raise ValueError(f"Cannot recommend {k} videos: ask for at least 1")
        self._check_axes(points)
        vectors = _finite(points)
        own, fitted = self._labels(points.index, exclude_same_group)
        if self.index_ is not None and among is None:
            neighbours = find_near(self.index_, self.points_, vectors, own, fitted, k)
        else:
            rows = np.arange(len(self.points_))
            if among is not None:
                rows = np.flatnonzero(self.video_ids_.isin(among))
            labels = rows if fitted is None else fitted[rows]
            neighbours = find_neighbours(cosine_scores(vectors, self.points_[rows]), own, labels, k).of(rows)
        found = neighbours.positions >= 0
        query, rank = np.nonzero(found)
        return pd.DataFrame(
            {
                "video_id": points.index.take(query),
                "rank": rank + 1,
                "recommended_video_id": self.video_ids_.take(neighbours.positions[found]),
                "similarity": neighbours.similarities[found],
            }
        )

    def predict(self, points: DataFrame[VideoPoints]) -> pd.DataFrame:
        """Name the ten nearest videos of each point: `recommend` under the name by which MLflow serves a model."""
        return self.recommend(points)

    def _check_axes(self, points: pd.DataFrame) -> None:
        if not points.columns.equals(self.axes_):
            raise ValueError(
                "The points have other axes than the recommender was fitted on: run feature_engineering and "
                "recommendation again"
            )

    def _labels(self, video_ids: pd.Index, exclude_same_group: bool) -> tuple[Labels, Labels | None]:
        originals = self.originals_.reindex(video_ids)
        own = self.video_ids_.get_indexer(pd.Index(np.where(originals.isna(), video_ids, originals)))
        if exclude_same_group:
            return np.where(own >= 0, self.groups_[own], UNKNOWN), self.groups_
        return own, None


def _finite(points: pd.DataFrame) -> NDArray[np.float32]:
    # pandas keeps a column together; what is compared is a row, and to gather that from everywhere takes far longer
    vectors = np.ascontiguousarray(points.to_numpy(dtype=np.float32))
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"The point of {points.index[~finite][0]} is not finite: run feature_engineering again")
    return vectors
