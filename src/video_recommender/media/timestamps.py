"""When each picture of a video is on screen."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import av

from video_recommender.media.decoding import DISCONTINUITY_S, OpenVideo

T = TypeVar("T")

ASSUMED_STEP_S: Final = 1 / 25
"""How long a picture is shown where the file tells no rate: FFmpeg's readers of bare streams assume 25 per second."""


@dataclass(frozen=True)
class Shown(Generic[T]):
    """A picture and when it is on screen.

    Attributes:
        start_s: when it appears, in seconds; never before the one that it replaces.
        end_s: when it vanishes, unless another one replaces it.
        picture: what is shown.
    """

    start_s: float
    end_s: float
    picture: T


class PictureClock:
    """Gives every picture a time, also where the file gives none or runs backwards.

    Args:
        opened: the video whose pictures it is asked for, one after the other.
    """

    def __init__(self, opened: OpenVideo) -> None:
        rate = opened.stream.average_rate or opened.stream.guessed_rate
        self._step_s = float(1 / rate) if rate else ASSUMED_STEP_S
        self._is_spliceable = opened.may_be_spliced
        self._offset_s = 0.0
        self._last: Shown[av.VideoFrame] | None = None

    def time(self, picture: av.VideoFrame) -> Shown[av.VideoFrame]:
        """Tell when the next picture is on screen."""
        start_s = self._start(picture)
        duration_s = float(picture.duration * picture.time_base) if picture.duration and picture.time_base else 0.0
        self._last = Shown(start_s, start_s + (duration_s if duration_s > 0 else self._step_s), picture)
        return self._last

    def _start(self, picture: av.VideoFrame) -> float:
        ticks = picture.dts if picture.pts is None else picture.pts
        stamp_s = None if ticks is None or picture.time_base is None else float(ticks * picture.time_base)
        if self._last is None:
            return stamp_s or 0.0
        if stamp_s is None:
            return self._last.end_s
        leap_s = stamp_s + self._offset_s - self._last.start_s
        if self._is_spliceable and not 0 <= leap_s <= DISCONTINUITY_S:
            self._offset_s = self._last.end_s - stamp_s
            return self._last.end_s
        return self._last.start_s + max(0.0, leap_s)
