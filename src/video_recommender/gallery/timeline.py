"""Which objects a video shows when, in few enough pieces to draw and to click."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_OBJECTS: Final = 8
MOST_STEPS: Final = 120
"""A long video is told in so many steps of equal length, so that the page stays light."""


@dataclass(frozen=True)
class Span:
    """A stretch of time in which an object is seen.

    Attributes:
        start_s: its beginning, in seconds.
        end_s: its end.
        confidence: the greatest, of all frames in it.
    """

    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True)
class SeenOverTime:
    """One object and when it is seen.

    Attributes:
        name: the object.
        frames: in how many frames.
        spans: in order of time.
    """

    name: str
    frames: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Timeline:
    """The objects that are seen in the most frames, and when.

    Attributes:
        duration_s: length of the video.
        objects: most frames first.
        others: how many more objects are seen, in fewer frames.
    """

    duration_s: float
    objects: tuple[SeenOverTime, ...]
    others: int


@dataclass(frozen=True)
class FrameTimes:
    """When the frames of a video were taken.

    Attributes:
        rate: frames per second, where they were taken at even steps.
        times_s: the time of each, where they were not; else empty.
    """

    rate: float
    times_s: tuple[float, ...] = ()

    @classmethod
    def parse(cls, rate: float, times_s: str) -> "FrameTimes":
        """Read the times of a manifest: comma-separated seconds, empty for even steps."""
        return cls(rate, tuple(float(time) for time in times_s.split(",")) if times_s else ())

    def starts(self, frames: int) -> NDArray[np.float64]:
        """When each of the first so many frames was taken, in seconds."""
        if self.times_s:
            return np.array(self.times_s[:frames])
        return np.arange(frames) / self.rate


def build_timeline(
    seen: pd.DataFrame, frames: int, times: FrameTimes, duration_s: float | None, every_nth: int = 1
) -> Timeline:
    """Tell which objects are seen when.

    Args:
        seen: `frame` (from 1), `class_name` and `confidence`; more than one row per frame is possible.
        frames: how many frames the video has.
        times: when they were taken.
        duration_s: length of the video; None where the file does not tell.
        every_nth: an object that is seen is taken to stay for so many frames, because the next ones were not looked at.

    Returns:
        See `Timeline`.
    """
    starts = times.starts(max(frames, int(seen["frame"].max()) if len(seen) else 0))
    end_s = max(duration_s or 0.0, _end(starts, times))
    ends = np.append(starts[1:], end_s)
    seen = seen[seen["frame"] <= len(starts)]
    counted = seen.drop_duplicates(["frame", "class_name"])["class_name"].value_counts()
    ranked = sorted(counted.items(), key=lambda count: (-count[1], str(count[0])))
    step_s = max(end_s / MOST_STEPS, 1e-6) if len(starts) > MOST_STEPS else 0.0
    return Timeline(
        duration_s=end_s,
        objects=tuple(
            SeenOverTime(
                str(name), int(count), _spans(seen[seen["class_name"] == name], starts, ends, every_nth, step_s)
            )
            for name, count in ranked[:MOST_OBJECTS]
        ),
        others=max(0, len(ranked) - MOST_OBJECTS),
    )


def _end(starts: NDArray[np.float64], times: FrameTimes) -> float:
    return float(starts[-1]) + (0.0 if times.times_s else 1 / times.rate) if len(starts) else 0.0


def _spans(
    rows: pd.DataFrame, starts: NDArray[np.float64], ends: NDArray[np.float64], every_nth: int, step_s: float
) -> tuple[Span, ...]:
    positions = np.sort(rows["frame"].unique()) - 1
    confidence = rows.groupby("frame")["confidence"].max().to_numpy(np.float64)
    last = np.minimum(positions + every_nth - 1, len(ends) - 1)
    pieces = [
        Span(float(starts[first]), float(ends[end]), float(sure))
        for first, end, sure in zip(positions, last, confidence, strict=True)
    ]
    return _joined(pieces, step_s)


def _joined(pieces: Sequence[Span], step_s: float) -> tuple[Span, ...]:
    """Make one span of pieces that touch; within a step of a long video, small gaps do not count."""
    number, end_s, numbers = 0, float("-inf"), []
    for piece in pieces:
        number += piece.start_s > end_s + step_s + 1e-6
        end_s = piece.end_s
        numbers.append(number)
    groups = groupby(zip(numbers, pieces, strict=True), key=lambda numbered: numbered[0])
    return tuple(_union([piece for _, piece in group]) for _, group in groups)


def _union(pieces: Sequence[Span]) -> Span:
    return Span(pieces[0].start_s, pieces[-1].end_s, max(piece.confidence for piece in pieces))
