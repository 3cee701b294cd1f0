"""Check that a file is a usable video and read its properties."""

import hashlib
from dataclasses import dataclass

from video_recommender.media.decoding import OpenVideo, Orientation, open_video
from video_recommender.media.video import Video, VideoFile


@dataclass(frozen=True)
class VideoProperties:
    """Properties of a video file.

    Width and height are as displayed: rotated upright, with square pixels. `fps` is the mean frame rate.
    """

    duration_s: float
    fps: float
    width: int
    height: int
    sha256: str


def probe_video(video: Video) -> VideoProperties:
    """Read the properties of a video and decode its first frame.

    Raises:
        VideoError: `missing`, `empty`, `unreadable` (not a video, or no frame can be decoded) or `audio_only`.
    """
    with video.as_local_file() as file:
        with open_video(file) as opened:
            first = next(opened.decode())
            width, height = round(first.width * opened.pixel_aspect), first.height
            if Orientation.of(first).transposed:
                width, height = height, width
            duration_s, fps = _duration_and_rate(opened)
        with file.path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return VideoProperties(duration_s, fps, max(1, width), max(1, height), sha256)


def _duration_and_rate(opened: OpenVideo) -> tuple[float, float]:
    duration_s = max(0.0, opened.stated_duration_s or 0.0)
    rate = opened.stream.average_rate or opened.stream.guessed_rate
    if duration_s and rate:
        return duration_s, float(rate)
    measured_s, measured_rate = _measure(opened.video)
    return duration_s or measured_s, float(rate) if rate else measured_rate


def _measure(video: VideoFile) -> tuple[float, float]:
    """Measure duration and rate from all time stamps: WebM files recorded by a browser do not state them."""
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
