"""Make sure that a fetched file is whole, and keep no more of it than is wanted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from av.video.stream import VideoStream

from video_recommender.media.decoding import DISCONTINUITY_S, OpenVideo, open_video
from video_recommender.media.video import VideoError, VideoFile

MARGIN_S: Final = 1.0
"""A file that is this much too long is left as it is: a cut falls between two pictures, not on the second."""

SHARE_OF_WHOLE: Final = 0.9
"""A file with less than this share of what it says it holds was broken off."""

_PLAYABLE_AS_MP4: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})


def check_complete(video: VideoFile, seconds: float, told_s: float | None = None) -> None:
    """Make sure that a file holds as much as is wanted of it, or all that there is.

    Args:
        video: the file.
        seconds: how much of it is wanted.
        told_s: how long the whole video lasts, in seconds, by what its site tells; None if it does not. A file that was
            cut short may be a valid, shorter one: what it says of itself does not excuse it.

    Raises:
        VideoError: `incomplete` if it holds less; or because it is no video at all.
    """
    with open_video(video) as opened:
        stated_s = _stated_s(opened)
        length_s = _measured_s(opened)
    due_s = min(seconds, max(stated_s or 0.0, told_s or 0.0))
    if length_s < SHARE_OF_WHOLE * due_s - MARGIN_S / 2:
        raise VideoError("incomplete", f"It breaks off after {length_s:.1f} of {due_s:.1f} s: run again")


def holds_more_than(video: VideoFile, seconds: float) -> bool:
    """Tell whether the pictures of a file, which may be a part of one, go on for longer than that.

    Raises:
        VideoError: if it cannot be read, as an MP4 that is not all there and has its index at its end.
    """
    with open_video(video) as opened:
        first_s = float("inf")
        for start_s, end_s in _spans(opened):
            first_s = min(first_s, start_s)
            if end_s - first_s > seconds:
                return True
    return False


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
        for packet in _steady_packets(opened):
            if packet.dts is None:
                continue
            time_s = float(packet.dts * packet.time_base)
            first_s = time_s if first_s is None else first_s
            if time_s - first_s >= seconds:
                break
            packet.stream = stream
            written.mux(packet)


def _stated_s(opened: OpenVideo) -> float | None:
    stream, container = opened.stream, opened.container
    if opened.may_be_spliced:  # then it is only guessed
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _measured_s(opened: OpenVideo) -> float:
    """How long the pictures are shown that are really there."""
    shown = list(_spans(opened))
    return max((end_s for _, end_s in shown), default=0.0) - min((start_s for start_s, _ in shown), default=0.0)


def _spans(opened: OpenVideo) -> Iterator[tuple[float, float]]:
    """From when to when each picture is shown, in seconds, in order of decoding."""
    for packet in _steady_packets(opened):
        if packet.pts is not None:
            yield float(packet.pts * packet.time_base), float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _steady_packets(opened: OpenVideo) -> Iterator["av.Packet[VideoStream]"]:
    """Read the compressed pictures; where the clock of a broadcast leaps, it is made to go on."""
    offset, due = 0, None
    for packet in opened.packets():
        if packet is None or not packet.time_base:
            continue
        if opened.may_be_spliced and packet.dts is not None:
            leap_s = 0.0 if due is None else float((packet.dts + offset - due) * packet.time_base)
            if due is not None and not -MARGIN_S <= leap_s <= DISCONTINUITY_S:
                offset = due - packet.dts
            due = packet.dts + offset + (packet.duration or 0)
            packet.dts += offset
            packet.pts = None if packet.pts is None else packet.pts + offset
        yield packet
