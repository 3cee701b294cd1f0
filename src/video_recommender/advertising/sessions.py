"""Where viewers are: many sessions side by side, as arrays."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from video_recommender.advertising.ads import FloatArray, IntArray

NOTHING = -1
"""Stands for no ad, no video and no taste."""


@dataclass(frozen=True, eq=False)
class Sessions:
    """Sessions just before an ad is shown. The first axis of every array is the session.

    Attributes:
        video: the video that is to follow the ad, int64, shape (sessions,).
        position: how many videos were seen before it, int64, shape (sessions,).
        last_ad: the ad that was shown last, -1 if none was, int64, shape (sessions,).
        streak: how often it was shown in a row, int64, shape (sessions,).
        shown: how often each ad was shown, int64, shape (sessions, ads).
        watched: how often each ad was watched, int64, shape (sessions, ads).
        visited: the videos so far, `video` included, in order; -1 where there is none yet; int32, shape
            (sessions, max_videos).
        taste: the viewer's favourite category, hidden from the agent; -1 if there is none; int64, shape (sessions,).
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
        """Select sessions by number or by a mask."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def replaced(self, rows: NDArray[np.bool_], others: Self) -> Self:
        """Put other sessions in the place of some, such as new ones where the viewer has left.

        Args:
            rows: which to replace, shape (sessions,).
            others: one for each that is replaced.

        Returns:
            A copy.
        """
        replaced = {field.name: getattr(self, field.name).copy() for field in fields(self)}
        for name, values in replaced.items():
            values[rows] = getattr(others, name)
        return type(self)(**replaced)


@dataclass(frozen=True, eq=False)
class ShownAds:
    """What came of showing an ad in each session.

    Attributes:
        watched: whether it was watched, bool, shape (sessions,).
        reward: what it earned, 0 if it was not watched, float64, shape (sessions,).
        ended: the viewer has left, or there is no video to go on to; bool, shape (sessions,).
        truncated: the viewer would go on, but has seen as many videos as are simulated; bool, shape (sessions,).
        sessions: where the viewers are now; sessions that are over stay at their last video.
    """

    watched: NDArray[np.bool_]
    reward: FloatArray
    ended: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    sessions: Sessions

    @property
    def is_over(self) -> NDArray[np.bool_]:
        """Whether no more ads are shown in the session, shape (sessions,)."""
        return self.ended | self.truncated
