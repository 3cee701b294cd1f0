"""Viewers of the corpus: they start at any video and go on to what the recommender offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt
from sklearn.decomposition import TruncatedSVD

from video_recommender.advertising.ads import AdInventory, FloatArray
from video_recommender.advertising.viewer_model import ViewerModel, ViewerOptions
from video_recommender.schemas import CategoryPredictions, Corpus, Recommendations, VideoPoints

AXES_WEIGHT = 0.1
"""How loudly an agent is told what a video looks like, beside its category. Else it learns the corpus by heart: with a
third of the demo's photos that it had not learnt from, it earned 0.82 of the optimum by looks alone, 0.97 by both."""


class AdFeatureOptions(BaseModel):
    """What an agent is told of what a video looks like (parameters_advertising.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    observed_axes: PositiveInt = 32
    seed: NonNegativeInt = 0


@dataclass(frozen=True, eq=False)
class VideoProjection:
    """Reduces points in object space to the few axes on which the corpus differs most.

    Attributes:
        axes: names of the axes of object space.
        directions: float32, shape (axes, observed axes); orthonormal columns.
    """

    axes: tuple[str, ...]
    directions: NDArray[np.float32]

    @classmethod
    def fit(cls, video_points: DataFrame[VideoPoints], options: AdFeatureOptions) -> Self:
        """Find the axes by truncated singular value decomposition (Halko, Martinsson and Tropp 2011).

        Args:
            video_points: a row per video, a column per axis.
            options: how many axes; fewer where there are not as many videos.

        Returns:
            The projection, for these videos and new ones.
        """
        kept = min(options.observed_axes, *video_points.shape)
        decomposition = TruncatedSVD(kept, random_state=options.seed)
        with np.errstate(
            invalid="ignore"
        ):  # of a single video, no share of the variance can be told; none is asked for
            decomposition.fit(video_points.to_numpy(np.float64))
        return cls(tuple(video_points.columns), decomposition.components_.T.astype(np.float32))

    def fits(self, video_points: DataFrame[VideoPoints]) -> bool:
        """Tell whether points have the axes for which this was fitted."""
        return tuple(video_points.columns) == self.axes

    def project(self, video_points: DataFrame[VideoPoints]) -> NDArray[np.float32]:
        """Reduce points.

        Args:
            video_points: the same axes as in `fit`.

        Returns:
            float32, shape (videos, observed axes).

        Raises:
            ValueError: if the axes are others.
        """
        if not self.fits(video_points):
            raise ValueError(
                "The points have other axes than advertising was set up for: run feature_engineering, recommendation "
                "and advertising again"
            )
        return np.asarray(video_points.to_numpy(np.float32) @ self.directions)


def categories_of_videos(
    corpus: DataFrame[Corpus], category_predictions: DataFrame[CategoryPredictions]
) -> "pd.Series[str]":
    """Tell the category of every video that viewers may come by.

    Args:
        corpus: which videos count; near duplicates that are kept out do not.
        category_predictions: the category that a video without one is taken for.

    Returns:
        By `video_id`, in alphabetical order; only videos for which there is a prediction.
    """
    predicted = category_predictions.set_index("video_id")["predicted_category"].sort_index()
    described = corpus.set_index("video_id").reindex(predicted.index)
    categories = described["category"].fillna(predicted)[described["is_used"].fillna(False).astype(bool)]
    return categories.astype("str").rename("category")


def believed_categories(
    category_predictions: DataFrame[CategoryPredictions], video_ids: Sequence[str], category_names: Sequence[str]
) -> FloatArray:
    """Tell how probably each video is of each category, by a classifier that has seen nothing of its group.

    So an agent learns from the corpus how far to trust what it will be told of new videos.

    Args:
        category_predictions: the most probable category of each video; the others share the rest evenly.
        video_ids: which videos, in which order.
        category_names: which categories, in which order.

    Returns:
        float64, shape (videos, categories).
    """
    predicted = category_predictions.set_index("video_id").loc[list(video_ids)]
    rest = (1 - predicted["probability"].to_numpy(np.float64)) / max(len(category_names) - 1, 1)
    beliefs = np.repeat(rest[:, np.newaxis], len(category_names), axis=1)
    category = pd.Index(category_names).get_indexer(pd.Index(predicted["predicted_category"]))
    known = np.flatnonzero(category >= 0)  # where too few videos have a category, the classifier calls all `unknown`
    beliefs[known, category[known]] = predicted["probability"].to_numpy(np.float64)[known]
    return beliefs


def describe_videos(beliefs: FloatArray, projected: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put together what an agent is told of videos.

    Args:
        beliefs: how probably each is of each category, shape (videos, categories).
        projected: what each looks like, see `VideoProjection`, shape (videos, axes).

    Returns:
        float32, shape (videos, categories + axes).
    """
    return np.hstack([beliefs, AXES_WEIGHT * projected]).astype(np.float32)


def build_viewers(
    recommendations: DataFrame[Recommendations],
    video_features: NDArray[np.float32],
    categories: "pd.Series[str]",
    ads: AdInventory,
    options: ViewerOptions,
) -> ViewerModel:
    """Let viewers go from each video to those that are recommended with it.

    Args:
        recommendations: the nearest videos of each; rows about other videos are left out.
        video_features: what a platform knows of each video, shape (videos, features); see `describe_videos`.
        categories: by `video_id`, in the order of `video_features`.
        ads: what can be shown; every category must have ads.
        options: how viewers take ads.

    Returns:
        See `ViewerModel`. Of opposite videos, similarity counts as 0.
    """
    names = ads.category_names
    video = categories.index.get_indexer(pd.Index(recommendations["video_id"]))
    recommended = categories.index.get_indexer(pd.Index(recommendations["recommended_video_id"]))
    column = recommendations["rank"].to_numpy(np.int64) - 1
    known = (video >= 0) & (recommended >= 0)
    shape = (len(categories), int(column.max(initial=0)) + 1)
    neighbours, similarity = np.full(shape, -1), np.zeros(shape)
    neighbours[video[known], column[known]] = recommended[known]
    similarity[video[known], column[known]] = recommendations["similarity"].to_numpy(np.float64)[known].clip(0)
    return ViewerModel(
        video_ids=tuple(categories.index),
        video_category=pd.Index(names).get_indexer(pd.Index(categories)).astype(np.int64),
        category_names=names,
        video_features=video_features,
        neighbours=neighbours,
        similarity=similarity,
        ads=ads,
        options=options,
    )
