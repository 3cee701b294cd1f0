"""Uploads: received into a temporary folder, and rejected unless they are videos within the limits."""

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
"""FFmpeg's names of the accepted formats: no playlists, no lists of files and no images."""
OPEN_OPTIONS: Final = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "enable_drefs": "0"}


class UploadRejectedError(Exception):
    """An upload is not analysed; the message tells the sender why.

    Attributes:
        status: of HTTP (RFC 9110).
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class UploadLimits:
    """Limits of an upload.

    Attributes:
        megabytes: size of the file, in millions of bytes.
        minutes: length.
        megapixels: resolution, in millions of pixels.
    """

    megabytes: int = 500
    minutes: int = 30
    megapixels: int = 40


@asynccontextmanager
async def received_file(chunks: AsyncIterator[bytes], limits: UploadLimits) -> AsyncIterator[Path]:
    """Write an upload to a file in a temporary folder, which is deleted when the block ends.

    Raises:
        UploadRejectedError: if it is too large or empty.
    """
    with tempfile.TemporaryDirectory(prefix="new-video-") as folder:
        path, size = Path(folder) / "video", 0
        with path.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > limits.megabytes * 1_000_000:
                    raise UploadRejectedError(f"The file is larger than {limits.megabytes} MB.", 413)
                file.write(chunk)
        if not size:
            raise UploadRejectedError("The file is empty.", 422)
        yield path


def check_video(path: Path, limits: UploadLimits) -> None:
    """Check that a file, whatever its name, is a video in an accepted format and within the limits.

    Raises:
        UploadRejectedError: if it is not.
    """
    not_a_video = UploadRejectedError("The file is not a video in a known format.", 415)
    try:
        av.open(path.absolute(), options=OPEN_OPTIONS, metadata_errors="replace").close()
    except (av.FFmpegError, OSError, ValueError) as error:
        raise not_a_video from error
    try:
        with open_video(VideoFile(path)) as opened:
            pixels = opened.stream.width * opened.stream.height
            seconds = (opened.container.duration or 0) / av.time_base
    except VideoError as error:
        message = "The file contains sound but no video." if error.status == "audio_only" else str(not_a_video)
        raise UploadRejectedError(message, 415) from error
    if pixels > limits.megapixels * 1_000_000:
        raise UploadRejectedError(f"Its frames have more than {limits.megapixels} million pixels.", 422)
    if seconds > limits.minutes * 60:
        raise UploadRejectedError(f"It is longer than {limits.minutes} minutes.", 422)
