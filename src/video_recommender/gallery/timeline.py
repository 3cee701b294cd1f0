"""Timeline of a video: the time spans in which each object is visible."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

MAX_OBJECTS: Final = 8
MAX_SPANS: Final = 120
"""Maximum number of spans per object, which limits the size of a page; short gaps are closed."""
TOLERANCE_S: Final = 1e-6


@dataclass(frozen=True)
class Span:
    """A time span in which an object is visible, with the highest confidence of its frames."""

    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True)
class ObjectTrack:
    """The spans of one object in chronological order, and the number of frames that show it."""

    name: str
    frames: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Timeline:
    """The most frequent objects of a video, in descending order, and the number of other objects."""

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
    """Build the timeline of a video from its detections.

    Args:
        detections: columns `frame` (from 1), `class_name`, `confidence`; several rows per frame are possible.
        frames: number of sampled frames.
        duration_s: duration of the video; None if unknown.
        rate: frames per second, used if `times_s` is empty.
        times_s: time of each frame in seconds, for frames sampled by shot.
        every_nth: step of the detector. An object counts as visible until the next processed frame.
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
