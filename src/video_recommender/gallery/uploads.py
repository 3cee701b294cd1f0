"""What is taken from outside: nothing but a video, of limited size, and only for as long as it is looked at."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from video_recommender.media.decoding import open_video
from video_recommender.media.video import VideoError, VideoFile

FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf"
"""FFmpeg's names of what is opened; playlists, lists of files and pictures are not among them."""

_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "enable_drefs": "0"}


class UploadRefusedError(Exception):
    """A file is not analysed; the message tells why, for whoever sent it.

    Attributes:
        status: of HTTP (RFC 9110).
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class UploadCeilings:
    """The most that a new video may be.

    Attributes:
        megabytes: size of the file, in millions of bytes.
        minutes: its length.
        megapixels: one picture.
    """

    megabytes: int = 500
    minutes: int = 30
    megapixels: int = 40


@asynccontextmanager
async def received(chunks: AsyncIterator[bytes], ceilings: UploadCeilings) -> AsyncIterator[Path]:
    """Keep what comes in under a name of our own, until the block is left.

    Args:
        chunks: the file, piece by piece.
        ceilings: how large it may be.

    Yields:
        A file in a temporary folder; both are deleted afterwards, whatever happens.

    Raises:
        UploadRefusedError: if it is too large or empty.
    """
    with tempfile.TemporaryDirectory(prefix="new-video-") as folder:
        place, size = Path(folder) / "video", 0
        with place.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > ceilings.megabytes * 1_000_000:
                    raise UploadRefusedError(f"The file is larger than {ceilings.megabytes} MB.", 413)
                file.write(chunk)
        if not size:
            raise UploadRefusedError("The file is empty.", 422)
        yield place


def check_video(place: Path, ceilings: UploadCeilings) -> None:
    """Look into a file: it must hold moving pictures in a format that is known.

    Args:
        place: the file; its name does not count.
        ceilings: how long and large it may be.

    Raises:
        UploadRefusedError: if it is not such a video.
    """
    not_a_video = UploadRefusedError("The file is not a video in a format that is known here.", 415)
    try:
        av.open(place.absolute(), options=_OPTIONS, metadata_errors="replace").close()
    except (av.FFmpegError, OSError, ValueError) as error:
        raise not_a_video from error
    try:
        with open_video(VideoFile(place)) as opened:
            pixels = opened.stream.width * opened.stream.height
            seconds = (opened.container.duration or 0) / av.time_base
    except VideoError as error:
        message = "The file holds sound but no pictures." if error.status == "audio_only" else str(not_a_video)
        raise UploadRefusedError(message, 415) from error
    if pixels > ceilings.megapixels * 1_000_000:
        raise UploadRefusedError(f"Its pictures have more than {ceilings.megapixels} million pixels.", 422)
    if seconds > ceilings.minutes * 60:
        raise UploadRefusedError(f"It is longer than {ceilings.minutes} minutes.", 422)
