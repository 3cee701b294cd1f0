"""Simulate viewers: which ads they watch, when they leave, which video they open next, and what an agent observes.

Viewers and ads form a Markov decision process. Sessions are simulated in parallel, as arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, Field, PositiveInt
from sklearn.decomposition import TruncatedSVD

from video_recommender.advertising.ads import AdInventory, FloatArray, IntArray
from video_recommender.schemas import CategoryPredictions, Corpus, Recommendations, VideoPoints

ABSENT = -1  # index that means no ad, no video or no taste

LONGEST_STREAK_OBSERVED = 5
OBSERVED_AXES = 32  # more axes let the agent memorise the corpus
PROJECTION_WEIGHT = 0.1
"""Scale of the projection relative to category probabilities. With a larger scale, the agent overfits the corpus."""

LONG_AD_S = 60.0  # `annoyance_long` is the probability for ads of at least this duration

TASTE_LIFT = 1.5
TASTE_DROP = 0.5
"""Factors on the watch probability of ads of the viewer's favourite category and of all other ads. Their ratio is large
enough that an agent profits from observing which ads the viewer watched."""

Probability = Annotated[float, Field(ge=0, le=1)]


class ViewerOptions(BaseModel, extra="forbid", frozen=True):
    """Reactions of viewers to ads (parameters_advertising.yml)."""

    mismatch: Probability = 0.5
    leave_probability: Probability = 0.1
    max_videos: PositiveInt = 30
    annoyance_long: Probability = 0.0
    annoyance_repeat: Probability = 0.0
    tastes: bool = False


@dataclass(frozen=True, eq=False)
class VideoProjection:
    """Projection of points in object space on their directions of largest variation.

    `axes` has the names of the axes of object space. `directions` has orthonormal columns, shape (axes, observed axes).
    """

    axes: tuple[str, ...]
    directions: NDArray[np.float32]

    @classmethod
    def fit(cls, video_points: DataFrame[VideoPoints], seed: int) -> Self:
        """Fit a truncated singular value decomposition (Halko, Martinsson and Tropp 2011)."""
        decomposition = TruncatedSVD(min(OBSERVED_AXES, *video_points.shape), random_state=seed)
        with np.errstate(invalid="ignore"):  # explained variance, which is not used, is undefined for a single video
            decomposition.fit(video_points.to_numpy(np.float64))
        return cls(tuple(video_points.columns), decomposition.components_.T.astype(np.float32))

    def fits(self, video_points: DataFrame[VideoPoints]) -> bool:
        """Return whether the points have the axes that the projection was fitted to."""
        return tuple(video_points.columns) == self.axes

    def project(self, video_points: DataFrame[VideoPoints]) -> NDArray[np.float32]:
        """Project points, shape (videos, observed axes). Raises a `ValueError` if the axes are not those of `fit`."""
        if not self.fits(video_points):
            raise ValueError(
                "The points have other axes than the ones that the ad agent was trained with: run feature_engineering, "
                "recommendation and advertising again"
            )
        return np.asarray(video_points.to_numpy(np.float32) @ self.directions)


def categories_of_videos(
    corpus: DataFrame[Corpus], category_predictions: DataFrame[CategoryPredictions]
) -> "pd.Series[str]":
    """Return the category, or else the predicted category, of every used video, sorted by `video_id`."""
    predicted = category_predictions.set_index("video_id")["predicted_category"].sort_index()
    described = corpus.set_index("video_id").reindex(predicted.index)
    categories = described["category"].fillna(predicted)[described["is_used"].fillna(False).astype(bool)]
    return categories.astype("str").rename("category")


def category_probabilities(
    category_predictions: DataFrame[CategoryPredictions], video_ids: Sequence[str], category_names: Sequence[str]
) -> FloatArray:
    """Return the out-of-fold category probabilities of videos, shape (videos, categories).

    Out-of-fold predictions are as uncertain as predictions for new videos, so the agent learns their reliability.
    The remaining probability is divided equally among the categories that are not predicted.
    """
    predicted = category_predictions.set_index("video_id").loc[list(video_ids)]
    probability = predicted["probability"].to_numpy(np.float64)
    rest = (1 - probability) / max(len(category_names) - 1, 1)
    probabilities = np.repeat(rest[:, np.newaxis], len(category_names), axis=1)
    category = pd.Index(category_names).get_indexer(pd.Index(predicted["predicted_category"]))
    known = np.flatnonzero(category >= 0)  # without labelled videos, the classifier always predicts `unknown`
    probabilities[known, category[known]] = probability[known]
    return probabilities


def combine_features(probabilities: FloatArray, projected: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join category probabilities and scaled projections, shape (videos, categories + observed axes)."""
    return np.hstack([probabilities, PROJECTION_WEIGHT * projected]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Sessions:
    """States of sessions before an ad is shown. The first axis of every array is the session.

    Attributes:
        video: index of the video that follows the ad.
        position: number of videos seen before `video`.
        last_ad: index of the previous ad, or -1 before the first ad.
        streak: number of consecutive times that the previous ad was shown.
        shown, watched: how often each ad was shown and watched, shape (sessions, ads).
        visited: indices of the videos so far, with `video` last, padded with -1, shape (sessions, max_videos).
        taste: index of the viewer's favourite category, or -1 if there is none; agents cannot observe it.
    """

    video: IntArray
    position: IntArray
    last_ad: IntArray
    streak: IntArray
    shown: IntArray
    watched: IntArray
    visited: NDArray[np.int32]
    taste: IntArray

    def __len__(self) -> int:
        return len(self.video)

    def take(self, rows: IntArray | NDArray[np.bool_]) -> Self:
        """Select sessions by position or by a mask."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, eq=False)
class StepResult:
    """Result of showing one ad in each session.

    Attributes:
        watched: whether the ad was watched, shape (sessions,).
        reward: revenue of the ad, 0 if it was not watched, shape (sessions,).
        terminated: whether the viewer left or no unseen video is recommended, shape (sessions,).
        truncated: whether the viewer stays, but `max_videos` is reached, shape (sessions,).
        sessions: the next states. Sessions that are over keep their last video.
    """

    watched: NDArray[np.bool_]
    reward: FloatArray
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    sessions: Sessions

    @property
    def is_over(self) -> NDArray[np.bool_]:
        """Whether no further ad is shown in the session, shape (sessions,)."""
        return self.terminated | self.truncated


@dataclass(frozen=True, eq=False)
class ViewerModel:
    """The simulated viewers of a corpus, and the observations of an agent.

    An ad is shown before each video of a session. The viewer watches or skips the ad, watches the video, and leaves or
    continues with a recommended video that is new in the session.

    Attributes:
        video_category: index of each video's category in `category_names`, shape (videos,).
        category_names: the categories. Each category has ads.
        video_features: observed features of each video, shape (videos, features).
        neighbours: indices of the videos recommended for each video, padded with -1, shape (videos, k).
        similarity: weights of the neighbours when the next video is drawn, at least 0, shape (videos, k).
        projection: projection of new videos from object space, or None for a generated corpus.
    """

    video_ids: tuple[str, ...]
    video_category: IntArray
    category_names: tuple[str, ...]
    video_features: NDArray[np.float32]
    neighbours: IntArray
    similarity: FloatArray
    ads: AdInventory
    options: ViewerOptions
    projection: VideoProjection | None = None

    def __post_init__(self) -> None:
        if not self.video_ids:
            raise ValueError("Advertising needs at least one video: add videos to the source and run `kedro run`")
        without_ads = sorted(set(self.category_names) - set(self.ads.categories))
        if without_ads:
            raise ValueError(f"Category {without_ads[0]} has no ads: add a long and a short ad to the table of ads")

    @classmethod
    def from_recommendations(
        cls,
        recommendations: DataFrame[Recommendations],
        categories: "pd.Series[str]",
        video_features: NDArray[np.float32],
        ads: AdInventory,
        options: ViewerOptions,
        projection: VideoProjection | None = None,
    ) -> Self:
        """Build viewers who continue from each video to one of its recommended videos.

        `categories` has the index `video_id` and the order of `video_features`. Recommendations from or to other videos
        are ignored.
        """
        video = categories.index.get_indexer(pd.Index(recommendations["video_id"]))
        recommended = categories.index.get_indexer(pd.Index(recommendations["recommended_video_id"]))
        column = recommendations["rank"].to_numpy(np.int64) - 1
        known = (video >= 0) & (recommended >= 0)
        shape = (len(categories), int(column.max(initial=0)) + 1)
        neighbours, similarity = np.full(shape, ABSENT), np.zeros(shape)
        neighbours[video[known], column[known]] = recommended[known]
        # Weights cannot be negative.
        similarity[video[known], column[known]] = recommendations["similarity"].to_numpy(np.float64)[known].clip(0)
        return cls(
            video_ids=tuple(categories.index),
            video_category=pd.Index(ads.category_names).get_indexer(pd.Index(categories)).astype(np.int64),
            category_names=ads.category_names,
            video_features=video_features,
            neighbours=neighbours,
            similarity=similarity,
            ads=ads,
            options=options,
            projection=projection,
        )

    def start_sessions(self, sessions: int, rng: np.random.Generator, videos: IntArray | None = None) -> Sessions:
        """Start sessions at the videos with the indices `videos`, shape (sessions,), or by default at random videos."""
        first = rng.integers(len(self.video_ids), size=sessions) if videos is None else np.asarray(videos, np.int64)
        visited = np.full((sessions, self.options.max_videos), ABSENT, np.int32)
        visited[:, 0] = first
        has_taste = self.options.tastes
        taste = rng.integers(len(self.category_names), size=sessions) if has_taste else np.full(sessions, ABSENT)
        return Sessions(
            video=first,
            position=np.zeros(sessions, np.int64),
            last_ad=np.full(sessions, ABSENT),
            streak=np.zeros(sessions, np.int64),
            shown=np.zeros((sessions, len(self.ads)), np.int64),
            watched=np.zeros((sessions, len(self.ads)), np.int64),
            visited=visited,
            taste=taste,
        )

    def start_everywhere(self) -> Sessions:
        """Start a session at each video, in the order of `video_ids`, with random tastes and a fixed seed."""
        return self.start_sessions(len(self.video_ids), np.random.default_rng(0), np.arange(len(self.video_ids)))

    def replace_finished(self, result: StepResult, rng: np.random.Generator) -> Sessions:
        """Return the states after a step, in which new sessions replace the sessions that are over."""
        arrivals = self.start_sessions(int(result.is_over.sum()), rng)
        columns = {field.name: getattr(result.sessions, field.name).copy() for field in fields(Sessions)}
        for name, values in columns.items():
            values[result.is_over] = getattr(arrivals, name)
        return Sessions(**columns)

    def watch_probability(self, sessions: Sessions) -> FloatArray:
        """Return the probability that each ad is watched if it is shown now, shape (sessions, ads)."""
        return self._watch_table[sessions.taste, self.video_category[sessions.video]]

    def watch_probability_by_category(self) -> FloatArray:
        """Return the watch probability of each ad per video category, averaged over tastes, shape (categories, ads)."""
        with_taste, without = self._watch_table[:-1], self._watch_table[-1]
        return np.asarray(with_taste.mean(axis=0) if self.options.tastes else without)

    def expected_reward(self, sessions: Sessions) -> FloatArray:
        """Return the expected immediate reward of each ad, shape (sessions, ads)."""
        return self.watch_probability(sessions) * self.ads.reward

    def leave_probability(self, last_ad: IntArray, streak: IntArray) -> FloatArray:
        """Return the probability that the viewer leaves after each ad and the next video, shape (sessions, ads)."""
        repeats = np.where(last_ad[:, np.newaxis] == np.arange(len(self.ads)), streak[:, np.newaxis], 0)
        return np.asarray(1 - self._stay_probability * (1 - self.options.annoyance_repeat) ** repeats)

    def show_ads(self, sessions: Sessions, ads: IntArray, rng: np.random.Generator) -> StepResult:
        """Show one ad, given by its index, in each session, and simulate the viewers' reactions.

        The simulation draws three random numbers per session.
        """
        rows = np.arange(len(sessions))
        watch_draw, leave_draw, video_draw = rng.random((3, len(sessions)))
        watched = watch_draw < self._watch_table[sessions.taste, self.video_category[sessions.video], ads]
        repeats = np.where(ads == sessions.last_ad, sessions.streak, 0)
        stays = leave_draw < self._stay_probability[ads] * (1 - self.options.annoyance_repeat) ** repeats

        shown_counts, watched_counts = sessions.shown.copy(), sessions.watched.copy()
        shown_counts[rows, ads] += 1
        watched_counts[rows, ads] += watched
        next_video = self._draw_next_videos(sessions, video_draw)
        truncated = stays & (sessions.position + 1 == self.options.max_videos)
        terminated = ~truncated & (~stays | (next_video == ABSENT))
        continues = ~(terminated | truncated)
        position = sessions.position + continues
        video = np.where(continues, next_video, sessions.video)
        visited = sessions.visited.copy()
        visited[rows, position] = video
        return StepResult(
            watched=watched,
            reward=watched * self.ads.reward[ads],
            terminated=terminated,
            truncated=truncated,
            sessions=Sessions(video, position, ads, repeats + 1, shown_counts, watched_counts, visited, sessions.taste),
        )

    def next_video_probability(self, sessions: Sessions) -> FloatArray:
        """Compute the probability that each neighbour is the next video if the viewer stays, shape (sessions, k).

        Rows sum to 1, or to 0 if the session has visited all neighbours.
        """
        weights = self._next_video_weights(sessions)
        total = weights.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))

    def observe(self, sessions: Sessions) -> NDArray[np.float32]:
        """Return the observations of an agent, shape (sessions, features + 1 + 3 * ads).

        The columns are the features of the video, the number of videos seen, the streak of each ad (0 unless it was the
        previous ad), and how often each ad was shown and watched. The streak is divided by 5 and is at most 1; the
        other numbers are divided by `max_videos`.
        """
        features, ads, longest = self.video_features.shape[1], len(self.ads), self.options.max_videos
        observed = np.zeros((len(sessions), features + 1 + 3 * ads), np.float32)
        observed[:, :features] = self.video_features[sessions.video]
        observed[:, features] = sessions.position / longest
        has_ad = np.flatnonzero(sessions.last_ad != ABSENT)
        streak = np.minimum(sessions.streak[has_ad], LONGEST_STREAK_OBSERVED) / LONGEST_STREAK_OBSERVED
        observed[has_ad, features + 1 + sessions.last_ad[has_ad]] = streak
        observed[:, features + 1 + ads : features + 1 + 2 * ads] = sessions.shown / longest
        observed[:, features + 1 + 2 * ads :] = sessions.watched / longest
        return observed

    def restrict_to(self, videos: IntArray) -> Self:
        """Keep only the videos with these indices, in this order. Sessions consist only of these videos."""
        new_index = np.full(len(self.video_ids) + 1, ABSENT)  # the last entry keeps padding (-1) as padding
        new_index[videos] = np.arange(len(videos))
        return replace(
            self,
            video_ids=tuple(self.video_ids[video] for video in videos),
            video_category=self.video_category[videos],
            video_features=self.video_features[videos],
            neighbours=new_index[self.neighbours[videos]],
            similarity=self.similarity[videos],
        )

    @cached_property
    def is_matched(self) -> NDArray[np.bool_]:
        """Whether each ad belongs to each category, shape (categories, ads)."""
        return np.asarray(np.array(self.category_names)[:, np.newaxis] == np.array(self.ads.categories))

    @cached_property
    def _watch_table(self) -> FloatArray:
        """Watch probability, shape (tastes + 1, categories, ads). The last entry is for viewers without a taste."""
        without_taste = self.ads.watch_probability * np.where(self.is_matched, 1, self.options.mismatch)
        is_favourite = self.is_matched[:, np.newaxis, :]
        by_taste = without_taste * np.where(is_favourite, TASTE_LIFT, TASTE_DROP)
        return np.concatenate([np.minimum(by_taste, 1), without_taste[np.newaxis]])

    @cached_property
    def _stay_probability(self) -> FloatArray:
        """Probability that the viewer stays after an ad that does not repeat the previous one, shape (ads,)."""
        length = np.minimum(self.ads.seconds / LONG_AD_S, 1)
        return np.asarray((1 - self.options.leave_probability) * (1 - self.options.annoyance_long * length))

    def _draw_next_videos(self, sessions: Sessions, draws: FloatArray) -> IntArray:
        thresholds = self._next_video_weights(sessions).cumsum(axis=1)
        if not thresholds.shape[1]:
            return np.full(len(sessions), ABSENT)
        # 1 - draws is in (0, 1], so the first sufficient threshold belongs to a video of positive weight.
        chosen = (thresholds >= ((1 - draws) * thresholds[:, -1])[:, np.newaxis]).argmax(axis=1)
        return np.where(thresholds[:, -1] > 0, self.neighbours[sessions.video, chosen], ABSENT)

    def _next_video_weights(self, sessions: Sessions) -> FloatArray:
        neighbours = self.neighbours[sessions.video]
        visited = sessions.visited[:, : sessions.position.max(initial=0) + 1]
        is_open = neighbours != ABSENT
        for column in visited.T:  # faster than a comparison of all pairs: at most `max_videos` columns
            is_open &= neighbours != column[:, np.newaxis]
        weights = np.where(is_open, self.similarity[sessions.video], 0)
        return np.where(weights.any(axis=1, keepdims=True), weights, is_open)
