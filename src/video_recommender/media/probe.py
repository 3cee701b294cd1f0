"""Find out whether a file is a video that can be used, and what kind of video it is."""

import hashlib
from dataclasses import dataclass

import av

from video_recommender.media.decoding import OpenVideo, Orientation, open_video
from video_recommender.media.video import Video, VideoFile

VERSION = 1
"""Raised when a video would be described differently than before, so that it is described again."""


@dataclass(frozen=True)
class VideoProperties:
    """What a video is.

    Attributes:
        duration_s: how long it lasts, in seconds.
        fps: pictures per second, on average.
        width: in pixels, as displayed: turned upright, with square pixels.
        height: in pixels, as displayed.
        sha256: digest of the file's bytes (FIPS 180-4), 64 hexadecimal digits.
    """

    duration_s: float
    fps: float
    width: int
    height: int
    sha256: str


def probe_video(video: Video) -> VideoProperties:
    """Look into a video file; its first picture is decoded to be sure that it can be.

    Args:
        video: where it lies.

    Raises:
        VideoError: `missing`, `empty`, `unreadable` (not a video, or no picture can be decoded) or `audio_only`.
    """
    with video.at_hand() as copy:
        with open_video(copy) as opened:
            first = next(opened.decode())
            width, height = round(first.width * opened.pixel_aspect), first.height
            if Orientation.of(first).transposed:
                width, height = height, width
            duration_s, fps = _duration_and_rate(opened)
        with copy.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return VideoProperties(duration_s, fps, max(1, width), max(1, height), sha256)


def _duration_and_rate(opened: OpenVideo) -> tuple[float, float]:
    duration_s = _stated_duration(opened)
    rate = opened.stream.average_rate or opened.stream.guessed_rate
    if duration_s and rate:
        return duration_s, float(rate)
    measured_s, measured_rate = _measure(opened.video)
    return duration_s or measured_s, float(rate) if rate else measured_rate


def _stated_duration(opened: OpenVideo) -> float:
    stream, container = opened.stream, opened.container
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, (container.duration or 0) / av.time_base)


def _measure(video: VideoFile) -> tuple[float, float]:
    """Read the time stamps of the whole file: browsers record WebM without saying how long it is."""
    with open_video(video) as opened:
        spans = [
            (float(packet.pts * packet.time_base), float((packet.duration or 0) * packet.time_base))
            for packet in opened.packets()
            if packet is not None and packet.pts is not None
        ]
    if not spans:
        return 0.0, 0.0
    duration_s = max(start + length for start, length in spans) - min(start for start, _ in spans)
    return duration_s, len(spans) / duration_s if duration_s else 0.0
