"""Partial video files: end a transfer when enough has arrived, check completeness, and truncate."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import av

from video_recommender.media.decoding import open_video
from video_recommender.media.video import VideoError, VideoFile

MARGIN_S: Final = 1.0  # files that are longer by less are not truncated: a cut falls between two frames
MIN_COMPLETE_SHARE: Final = 0.9  # a file with less than this share of its stated duration is incomplete
# Size at the first check, and factor until the next one: all checks together read only a few times the file
FIRST_CHECK_BYTES: Final = 100_000
CHECK_GROWTH: Final = 1.25

_MP4_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
_BOXES_BEFORE_INDEX: Final = frozenset({b"ftyp", b"styp", b"free", b"skip", b"wide", b"uuid", b"pdin"})


class EnoughDownloaded(Exception):  # noqa: N818 - ends a transfer without an error
    """The wanted part of a video has arrived in a partial file; `fields` is its info dictionary."""

    def __init__(self, file: VideoFile, fields: Mapping[str, Any]) -> None:
        super().__init__(file)
        self.file = file
        self.fields = fields


class TransferMonitor:
    """Checks the file of one transfer, of which the first seconds are wanted, while it grows."""

    def __init__(self, seconds: float, max_megabytes: float) -> None:
        self._seconds = seconds
        self._max_megabytes = max_megabytes
        self._next_check: float = FIRST_CHECK_BYTES

    def update(self, progress: Mapping[str, Any]) -> None:
        """Check the file if it has grown enough (a hook of yt-dlp): raise `EnoughDownloaded` or a `VideoError`."""
        if progress["status"] != "downloading":
            return
        size, limit = progress.get("downloaded_bytes") or 0, self._max_megabytes * 1e6
        is_too_large = size > limit
        if size < self._next_check and not is_too_large:
            return
        self._next_check = CHECK_GROWTH * size
        file = VideoFile(Path(progress["tmpfilename"]))
        try:
            if is_longer_than(file, self._seconds + MARGIN_S):
                raise EnoughDownloaded(file, progress["info_dict"])
        except VideoError:
            total = progress.get("total_bytes") or progress.get("total_bytes_estimate") or 0
            is_too_large |= total > limit and not _starts_with_index(file.path)
        if is_too_large:
            raise VideoError("too_large", f"it has more than {self._max_megabytes:g} MB")


def check_complete(video: VideoFile, seconds: float, published_s: float | None = None) -> None:
    """Raise a `VideoError` (`incomplete`) unless a file contains the first seconds of a video, or all of a shorter one.

    The site publishes the duration `published_s`: the header of a truncated file may state less.
    """
    with open_video(video) as opened:
        stated_s = None if opened.may_be_spliced else opened.stated_duration_s  # only an estimate if spliced
        length_s, _ = opened.measure()
    expected_s = min(seconds, max(stated_s or 0.0, published_s or 0.0))
    if length_s < MIN_COMPLETE_SHARE * expected_s - MARGIN_S / 2:
        raise VideoError("incomplete", f"It ends after {length_s:.1f} of {expected_s:.1f} s: run again")


def is_longer_than(video: VideoFile, seconds: float) -> bool:
    """Return whether the frames of a file last longer; a `VideoError` if it is partial and its index is at the end."""
    with open_video(video) as opened:
        first_s = float("inf")
        for start_s, end_s in opened.spans():
            first_s = min(first_s, start_s)
            if end_s - first_s > seconds:
                return True
    return False


def truncate_video(video: VideoFile, seconds: float) -> VideoFile:
    """Copy the first seconds of a video to a new file, without sound and without encoding it again.

    The result is the given file itself if it is short enough.
    """
    with open_video(video) as opened:
        if opened.measure()[0] <= seconds + MARGIN_S:
            return video
    target = video.path.with_name(f"{video.path.name}.truncated")
    with open_video(video) as opened:
        container = "mp4" if opened.stream.codec_context.name in _MP4_CODECS else "matroska"
        with av.open(target, "w", format=container) as output:
            stream = output.add_stream_from_template(opened.stream)
            first_s: float | None = None
            for packet in opened.continuous_packets():
                if packet.dts is None:
                    continue
                time_s = float(packet.dts * packet.time_base)
                first_s = time_s if first_s is None else first_s
                if time_s - first_s >= seconds:
                    break
                packet.stream = stream
                output.mux(packet)
    return VideoFile(target)


def _starts_with_index(file: Path) -> bool:
    """Return whether the index of a partial MP4 file comes before its frames (ISO/IEC 14496-12, 4.2)."""
    with file.open("rb") as content:
        while len(header := content.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            if kind not in _BOXES_BEFORE_INDEX:
                return bool(kind == b"moov")
            content.seek(max(size, 8) - 8, 1)
    return False
