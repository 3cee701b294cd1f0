"""End the transfer of a long video as soon as its beginning is there."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from video_recommender.media.video import VideoError, VideoFile
from video_recommender.sources.file_completeness import MARGIN_S, holds_more_than

FIRST_LOOK: Final = 100_000
"""After so many bytes a file is looked into for the first time, if size or duration are not known."""

GROWTH: Final = 1.25
"""How many times as much must be there for the next look, so that all looks together read a few times the file."""

_BEFORE_THE_INDEX: Final = frozenset({b"ftyp", b"styp", b"free", b"skip", b"wide", b"uuid", b"pdin"})


class BeginningIsThere(Exception):  # noqa: N818 - nothing is wrong: the rest need not be fetched
    """The beginning of a video is there.

    Attributes:
        file: what was fetched of it, which plays for longer than is wanted.
        told: what is known of the video.
    """

    def __init__(self, file: VideoFile, told: Mapping[str, Any]) -> None:
        super().__init__(file)
        self.file = file
        self.told = told


class BeginningWatch:
    """Looks into the file of one transfer as it grows.

    Args:
        seconds: how much of the video is wanted.
        max_megabytes: how much may be fetched of it.
    """

    def __init__(self, seconds: float, max_megabytes: float) -> None:
        self._seconds = seconds
        self._max_megabytes = max_megabytes
        self._next_look: float | None = None

    def look(self, progress: Mapping[str, Any]) -> None:
        """Look, if it is time to; yt-dlp calls it after each piece (`progress_hooks`).

        Raises:
            BeginningIsThere: if the rest need not be fetched.
            VideoError: `too_large` if more would have to be fetched than may be.
        """
        if progress["status"] != "downloading":
            return
        fetched, largest = progress.get("downloaded_bytes") or 0, self._max_megabytes * 1e6
        if self._next_look is None:
            self._next_look = self._first_look(progress, largest)
        is_too_large = fetched > largest
        if fetched < self._next_look and not is_too_large:
            return
        self._next_look = GROWTH * fetched
        file = VideoFile(Path(progress["tmpfilename"]))
        try:
            if holds_more_than(file, self._seconds + MARGIN_S):
                raise BeginningIsThere(file, progress["info_dict"])
        except VideoError:
            is_too_large |= _size(progress) > largest and not _index_is_to_come(file.path)
        if is_too_large:
            raise VideoError("too_large", f"it has more than {self._max_megabytes:g} MB")

    def _first_look(self, progress: Mapping[str, Any], largest: float) -> float:
        size, duration_s = _size(progress), progress["info_dict"].get("duration")
        if size > largest:  # to be given up at once, if it cannot be looked into
            return FIRST_LOOK
        wanted_s = self._seconds + 2 * MARGIN_S
        if duration_s and duration_s <= wanted_s:
            return float("inf")
        return size * wanted_s / duration_s if size and duration_s else FIRST_LOOK


def _size(progress: Mapping[str, Any]) -> float:
    """How many bytes the whole file has; 0 if that is not known."""
    return float(progress.get("total_bytes") or progress.get("total_bytes_estimate") or 0)


def _index_is_to_come(file: Path) -> bool:
    """Whether this is an MP4 with its index in front, of which not all is there yet (ISO/IEC 14496-12, 4.2)."""
    with file.open("rb") as opened:
        while len(header := opened.read(8)) == 8:
            size, kind = struct.unpack(">I4s", header)
            if kind not in _BEFORE_THE_INDEX:
                return bool(kind == b"moov")
            opened.seek(max(size, 8) - 8, 1)
    return False
