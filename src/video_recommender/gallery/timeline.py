"""Timeline of a video: which objects are visible when, as few spans to draw and click."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

MAX_OBJECTS: Final = 8
MAX_SPANS: Final = 120
"""Maximum spans per object, so that the page of a long video stays small: smaller gaps are closed."""
TOLERANCE_S: Final = 1e-6


@dataclass(frozen=True)
class Span:
    """A stretch of time in which an object is visible, with the highest confidence of the frames in it."""

    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True)
class ObjectTrack:
    """The spans of one object in order of time, and the number of frames that show it."""

    name: str
    frames: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Timeline:
    """The most frequent objects of a video, most frames first, and the number of further objects."""

    duration_s: float
    objects: tuple[ObjectTrack, ...]
    others: int


def build_timeline(
    detections: pd.DataFrame,
    frames: int,
    duration_s: float | None,
    *,
    rate: float,
    times_s: Sequence[float] = (),
    every_nth: int = 1,
) -> Timeline:
    """Build the timeline of a video.

    Args:
        detections: `frame` (from 1), `class_name` and `confidence`; several rows per frame are possible.
        frames: number of frames.
        duration_s: length of the video, in seconds; None if it is unknown.
        rate: frames per second, if they were sampled at a fixed rate.
        times_s: the time of each frame, if they were sampled by shots; else empty.
        every_nth: step of the detector; an object is taken to stay visible until the next frame that was searched.
    """
    frames = max(frames, int(detections["frame"].max()) if len(detections) else 0)
    starts = np.array(times_s[:frames]) if times_s else np.arange(frames) / rate
    last_frame_s = 0.0 if times_s else 1 / rate
    end_s = max(duration_s or 0.0, float(starts[-1]) + last_frame_s if len(starts) else 0.0)
    ends = np.append(starts[1:], end_s)
    detections = detections[detections["frame"] <= len(starts)]
    by_frame = detections.groupby(["class_name", "frame"])["confidence"].max().reset_index()
    ranked = sorted(by_frame.groupby("class_name"), key=lambda track: (-len(track[1]), str(track[0])))
    gap_s = end_s / MAX_SPANS if len(starts) > MAX_SPANS else 0.0
    tracks = []
    for name, rows in ranked[:MAX_OBJECTS]:
        first = rows["frame"].to_numpy() - 1
        last = np.minimum(first + every_nth - 1, len(ends) - 1)
        spans = map(Span, starts[first].tolist(), ends[last].tolist(), rows["confidence"].astype(float))
        tracks.append(ObjectTrack(str(name), len(rows), _join(spans, gap_s)))
    return Timeline(end_s, tuple(tracks), others=max(0, len(ranked) - MAX_OBJECTS))


def _join(spans: Iterable[Span], gap_s: float) -> tuple[Span, ...]:
    """Join spans that touch, or that are less than `gap_s` apart."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start_s <= joined[-1].end_s + gap_s + TOLERANCE_S:
            previous = joined.pop()
            span = Span(previous.start_s, span.end_s, max(previous.confidence, span.confidence))  # noqa: PLW2901
        joined.append(span)
    return tuple(joined)
