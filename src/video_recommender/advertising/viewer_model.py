"""How viewers behave: which ads they watch, when they leave, and where they go. The agent learns it by trying."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from video_recommender.advertising.ads import AdInventory, FloatArray, IntArray
from video_recommender.advertising.sessions import NOTHING, Sessions, ShownAds

__all__ = ["FloatArray", "IntArray", "Sessions", "ShownAds", "ViewerModel", "ViewerOptions"]

LONGEST_STREAK_OBSERVED = 5
FULLY_LONG_S = 60.0
"""An ad of this length or more annoys as much as its length can."""

Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]


class ViewerOptions(BaseModel):
    """How viewers take ads (parameters_advertising.yml).

    Attributes:
        mismatch: factor on the watch probability where the ad's category is not the video's.
        leave: how probably a viewer leaves after each video, whatever the ad.
        max_videos: a session ends after so many videos at the latest.
        annoyance_long: how probably an ad of a minute makes the viewer leave; shorter ones in proportion.
        annoyance_repeat: how probably each further showing of the same ad in a row makes the viewer leave.
        tastes: whether each viewer has a favourite category, hidden from the agent.
        taste_lift: factor on the watch probability of ads of the favourite category, up to certainty.
        taste_drop: factor on that of all others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mismatch: Share = 0.5
    leave: Share = 0.1
    max_videos: PositiveInt = 30
    annoyance_long: Share = 0.0
    annoyance_repeat: Share = 0.0
    tastes: bool = False
    taste_lift: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.5
    taste_drop: Share = 0.5


@dataclass(frozen=True, eq=False)
class ViewerModel:
    """The truth about viewers that an agent does not know, and what it may observe of them.

    An ad is shown before each video of a session. The viewer watches it or not, sees the video, and leaves or goes on
    to one of the videos that are recommended with it and that the session has not had.

    Attributes:
        video_ids: names of the videos.
        video_category: position of each video's category in `category_names`, int64, shape (videos,).
        category_names: the categories; each has ads.
        video_features: what a platform knows of each video, float32, shape (videos, features).
        neighbours: positions of the videos recommended with each, -1 where there are fewer, int64, shape (videos, k).
        similarity: how alike these are, from 0, float64, shape (videos, k); viewers go on in proportion to it.
        ads: what can be shown.
        options: see `ViewerOptions`.

    Raises:
        ValueError: if there is no video, or a category has no ad.
    """

    video_ids: tuple[str, ...]
    video_category: IntArray
    category_names: tuple[str, ...]
    video_features: NDArray[np.float32]
    neighbours: IntArray
    similarity: FloatArray
    ads: AdInventory
    options: ViewerOptions

    def __post_init__(self) -> None:
        if not self.video_ids:
            raise ValueError("There is no video to show ads with: add videos and run the stages before advertising")
        without_ads = sorted(set(self.category_names) - set(self.ads.categories))
        if without_ads:
            raise ValueError(f"Category {without_ads[0]} has no ad: add a long and a short one to the table of ads")

    def start_sessions(self, sessions: int, rng: np.random.Generator, videos: IntArray | None = None) -> Sessions:
        """Let viewers arrive.

        Args:
            sessions: how many.
            rng: draws the first videos and, where viewers have one, their taste.
            videos: the first video of each, shape (sessions,); None: any, all equally probably.

        Returns:
            Sessions before their first ad.
        """
        first = rng.integers(len(self.video_ids), size=sessions) if videos is None else np.asarray(videos, np.int64)
        visited = np.full((sessions, self.options.max_videos), NOTHING, np.int32)
        visited[:, 0] = first
        return Sessions(
            video=first,
            position=np.zeros(sessions, np.int64),
            last_ad=np.full(sessions, NOTHING),
            streak=np.zeros(sessions, np.int64),
            shown=np.zeros((sessions, len(self.ads)), np.int64),
            watched=np.zeros((sessions, len(self.ads)), np.int64),
            visited=visited,
            taste=(
                rng.integers(len(self.category_names), size=sessions)
                if self.options.tastes
                else np.full(sessions, NOTHING)
            ),
        )

    def watch_probability(self, sessions: Sessions) -> FloatArray:
        """Tell how probably each ad would be watched now, shape (sessions, ads)."""
        return self._watch_table[sessions.taste, self.video_category[sessions.video]]

    def watch_probability_by_category(self) -> FloatArray:
        """Tell how probably each ad is watched before a video of each category, over all tastes; (categories, ads)."""
        with_taste, without = self._watch_table[:-1], self._watch_table[-1]
        return np.asarray(with_taste.mean(axis=0) if self.options.tastes else without)

    def expected_reward(self, sessions: Sessions) -> FloatArray:
        """Tell what each ad would earn now on average, shape (sessions, ads)."""
        return self.watch_probability(sessions) * self.ads.reward

    def leave_probability(self, sessions: Sessions) -> FloatArray:
        """Tell how probably the viewer leaves after each ad and its video, shape (sessions, ads)."""
        return self.leave_probability_of(sessions.last_ad, sessions.streak)

    def leave_probability_of(self, last_ad: IntArray, streak: IntArray) -> FloatArray:
        """Tell how probably a viewer leaves after each ad, by what was shown before.

        Args:
            last_ad: the ad shown last, -1 for none, shape (sessions,).
            streak: how often in a row, shape (sessions,).

        Returns:
            Shape (sessions, ads).
        """
        repeats = np.where(last_ad[:, np.newaxis] == np.arange(len(self.ads)), streak[:, np.newaxis], 0)
        return np.asarray(1 - self._stay_once * (1 - self.options.annoyance_repeat) ** repeats)

    def show_ads(self, sessions: Sessions, ads: IntArray, rng: np.random.Generator) -> ShownAds:
        """Show an ad in each session and let its viewer go on.

        Args:
            sessions: where the viewers are.
            ads: the number of the ad to show in each, shape (sessions,).
            rng: draws three numbers per session: whether the ad is watched, whether the viewer leaves, where to.

        Returns:
            What came of it.
        """
        rows = np.arange(len(sessions))
        watch_draw, leave_draw, video_draw = rng.random((3, len(sessions)))
        watched = watch_draw < self._watch_table[sessions.taste, self.video_category[sessions.video], ads]
        repeats = np.where(ads == sessions.last_ad, sessions.streak, 0)
        stays = leave_draw < self._stay_once[ads] * (1 - self.options.annoyance_repeat) ** repeats

        shown_before, watched_before = sessions.shown.copy(), sessions.watched.copy()
        shown_before[rows, ads] += 1
        watched_before[rows, ads] += watched
        next_video = self._draw_next_videos(sessions, video_draw)
        truncated = stays & (sessions.position + 1 == self.options.max_videos)
        ended = ~truncated & (~stays | (next_video == NOTHING))
        goes_on = ~(ended | truncated)
        position = sessions.position + goes_on
        video = np.where(goes_on, next_video, sessions.video)
        visited = sessions.visited.copy()
        visited[rows, position] = video
        return ShownAds(
            watched=watched,
            reward=watched * self.ads.reward[ads],
            ended=ended,
            truncated=truncated,
            sessions=Sessions(video, position, ads, repeats + 1, shown_before, watched_before, visited, sessions.taste),
        )

    def next_video_probability(self, sessions: Sessions) -> FloatArray:
        """Tell how probably each neighbour of the video comes next, if the viewer stays.

        Args:
            sessions: where the viewers are.

        Returns:
            float64, shape (sessions, k), in the order of `neighbours`; rows sum to 1, or to 0 where the session has
            had all of them.
        """
        weights = self._next_video_weights(sessions)
        total = weights.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))

    def observe(self, sessions: Sessions) -> NDArray[np.float32]:
        """Tell what a platform sees of each session, and so all that an agent may look at.

        Args:
            sessions: where the viewers are.

        Returns:
            float32, shape (sessions, features + 1 + 3 * ads): the features of the video; the share of `max_videos` that
            was seen; per ad, how often it was shown in a row just now, at most 5, in fifths (0 for all but the last
            one); per ad, how often it was shown, and per ad, how often it was watched, both as shares of `max_videos`.
        """
        axes, ads, longest = self.video_features.shape[1], len(self.ads), self.options.max_videos
        observed = np.zeros((len(sessions), axes + 1 + 3 * ads), np.float32)
        observed[:, :axes] = self.video_features[sessions.video]
        observed[:, axes] = sessions.position / longest
        has_ad = np.flatnonzero(sessions.last_ad >= 0)
        in_a_row = np.minimum(sessions.streak[has_ad], LONGEST_STREAK_OBSERVED) / LONGEST_STREAK_OBSERVED
        observed[has_ad, axes + 1 + sessions.last_ad[has_ad]] = in_a_row
        observed[:, axes + 1 + ads : axes + 1 + 2 * ads] = sessions.shown / longest
        observed[:, axes + 1 + 2 * ads :] = sessions.watched / longest
        return observed

    def restricted_to(self, videos: IntArray) -> Self:
        """Keep some videos only: viewers start at these and go on to these.

        Args:
            videos: their positions, each once.

        Returns:
            The same viewers with these videos, in this order.
        """
        moved = np.full(len(self.video_ids) + 1, NOTHING)  # the last one is for -1, where there is no neighbour
        moved[videos] = np.arange(len(videos))
        return type(self)(
            video_ids=tuple(self.video_ids[video] for video in videos),
            video_category=self.video_category[videos],
            category_names=self.category_names,
            video_features=self.video_features[videos],
            neighbours=moved[self.neighbours[videos]],
            similarity=self.similarity[videos],
            ads=self.ads,
            options=self.options,
        )

    @cached_property
    def _watch_table(self) -> FloatArray:
        """Watch probability by taste, the last one for viewers without, category and ad."""
        categories = np.array(self.category_names)
        ad_categories = np.array(self.ads.categories)
        matched = categories[:, np.newaxis] == ad_categories
        plain = self.ads.watch_probability * np.where(matched, 1, self.options.mismatch)
        liked = (categories[:, np.newaxis] == ad_categories)[:, np.newaxis, :]
        by_taste = plain * np.where(liked, self.options.taste_lift, self.options.taste_drop)
        return np.concatenate([np.minimum(by_taste, 1), plain[np.newaxis]])

    @cached_property
    def _stay_once(self) -> FloatArray:
        """How probably a viewer stays after an ad that was not the last one already, shape (ads,)."""
        length = np.minimum(self.ads.seconds / FULLY_LONG_S, 1)
        return np.asarray((1 - self.options.leave) * (1 - self.options.annoyance_long * length))

    def _draw_next_videos(self, sessions: Sessions, draws: FloatArray) -> IntArray:
        thresholds = self._next_video_weights(sessions).cumsum(axis=1)
        if not thresholds.shape[1]:
            return np.full(len(sessions), NOTHING)
        # The draw is from (0, 1]: so the first threshold that is not below it belongs to a video of some weight.
        chosen = (thresholds >= ((1 - draws) * thresholds[:, -1])[:, np.newaxis]).argmax(axis=1)
        return np.where(thresholds[:, -1] > 0, self.neighbours[sessions.video, chosen], NOTHING)

    def _next_video_weights(self, sessions: Sessions) -> FloatArray:
        neighbours = self.neighbours[sessions.video]
        seen = sessions.visited[:, : sessions.position.max(initial=0) + 1]
        is_open = neighbours >= 0
        for column in seen.T:  # a session has 30 videos at most: faster than one comparison of all with all
            is_open &= neighbours != column[:, np.newaxis]
        weights = np.where(is_open, self.similarity[sessions.video], 0)
        return np.where(weights.any(axis=1, keepdims=True), weights, is_open)
