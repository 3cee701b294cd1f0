"""Make sure that a fetched file is whole, and keep no more of it than is wanted."""

from pathlib import Path
from typing import Final

import av

from video_recommender.decoding import OpenVideo, open_video
from video_recommender.video_file import VideoError, VideoFile

MARGIN_S: Final = 1.0
"""A file that is this much too long is left as it is: a cut falls between two pictures, not on the second."""

SHARE_OF_WHOLE: Final = 0.9
"""A file with less than this share of what it says it holds was broken off."""

_PLAYABLE_AS_MP4: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})


def check_complete(video: VideoFile, expected_s: float | None = None) -> None:
    """Make sure that a file holds as much as it says, and as is expected.

    Args:
        video: the file.
        expected_s: how long it should be, in seconds; None if that is not known.

    Raises:
        VideoError: `incomplete` if it holds less; or because it is no video at all.
    """
    with open_video(video) as opened:
        stated_s = _stated_s(opened)
        length_s = _measured_s(opened)
    due_s = min(stated_s or expected_s or 0.0, expected_s or stated_s or 0.0)
    if length_s < SHARE_OF_WHOLE * due_s - MARGIN_S / 2:
        raise VideoError("incomplete", f"It breaks off after {length_s:.1f} of {due_s:.1f} s: run again")


def keep_beginning(video: VideoFile, seconds: float) -> VideoFile:
    """Keep the pictures of the first seconds, without the sound and without encoding anything anew.

    Args:
        video: the file, which is not altered.
        seconds: how much to keep.

    Returns:
        The file itself if it is short enough, else a new one beside it.

    Raises:
        VideoError: if it is no video.
    """
    with open_video(video) as opened:
        if _measured_s(opened) <= seconds + MARGIN_S:
            return video
    beginning = video.path.with_name(f"{video.path.name}.beginning")
    with open_video(video) as opened:
        _copy_pictures(opened, beginning, seconds)
    return VideoFile(beginning)


def _copy_pictures(opened: OpenVideo, target: Path, seconds: float) -> None:
    container = "mp4" if opened.stream.codec_context.name in _PLAYABLE_AS_MP4 else "matroska"
    with av.open(target, "w", format=container) as written:
        stream = written.add_stream_from_template(opened.stream)
        first_s: float | None = None
        for packet in opened.packets():
            if packet is None or packet.dts is None or packet.time_base is None:
                continue
            time_s = float(packet.dts * packet.time_base)
            first_s = time_s if first_s is None else first_s
            if time_s - first_s >= seconds:
                break
            packet.stream = stream
            written.mux(packet)


def _stated_s(opened: OpenVideo) -> float | None:
    stream, container = opened.stream, opened.container
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _measured_s(opened: OpenVideo) -> float:
    """How long the pictures are shown that are really there."""
    shown = [
        (float(packet.pts * packet.time_base), float((packet.duration or 0) * packet.time_base))
        for packet in opened.packets()
        if packet is not None and packet.pts is not None and packet.time_base is not None
    ]
    first_s = min((start_s for start_s, _ in shown), default=0.0)
    return max((start_s + length_s for start_s, length_s in shown), default=0.0) - first_s
