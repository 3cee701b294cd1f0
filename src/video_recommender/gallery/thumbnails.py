"""Small pictures of videos, made once and kept on disk."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from video_recommender.media.frames import FrameFolder, Picture
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.storage.digests import fingerprint

LONGEST_SIDE: Final = 320
QUALITY: Final = 80


class ThumbnailCache:
    """A folder of JPEGs; it may be deleted at any time.

    Args:
        folder: made when the first picture is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, video_id: str, version: str, make: Callable[[], Picture]) -> bytes:
        """Give a video's picture as JPEG.

        Args:
            video_id: the video; it does not become part of a path.
            version: changes with the picture. Pictures of other versions are forgotten.
            make: makes the picture, if it is not kept yet.

        Raises:
            VideoError: if it cannot be made.
        """
        name = fingerprint(video_id)
        file = self._folder / f"{name}-{fingerprint(version)}.jpg"
        with contextlib.suppress(OSError):
            return file.read_bytes()
        jpeg = _encode(make())
        with contextlib.suppress(OSError):  # a full or read-only disk is no reason not to show a picture
            self._keep(file, jpeg)
            for stale in self._folder.glob(f"{name}-*.jpg"):
                if stale != file:
                    stale.unlink(missing_ok=True)
        return jpeg

    def _keep(self, file: Path, jpeg: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".part-", delete=False) as aside:
            try:
                aside.write(jpeg)
                aside.close()
                os.replace(aside.name, file)  # noqa: PTH105
            except OSError:
                Path(aside.name).unlink(missing_ok=True)
                raise


def picture_of_frames(frames: FrameFolder) -> Picture:
    """Take the frame in the middle of a video.

    Raises:
        VideoError: if there is none, or it is not readable.
    """
    files = frames.files
    if not files:
        raise VideoError("damaged", f"{frames.path} holds no frames: delete it and run preprocessing again")
    middle = FrameFolder(frames.path).pictures(max(1, len(files) // 2))
    first = next(middle)
    return next(middle, first)


def picture_of_video(video: VideoFile) -> Picture:
    """Take the first frame of a video that was not cut into frames yet.

    Raises:
        VideoError: if it is not a usable video.
    """
    return next(sample_frames(video, PreprocessingOptions(max_frames=1)).frames.pictures())


def _encode(picture: Picture) -> bytes:
    height, width = picture.shape[:2]
    zoom = LONGEST_SIDE / max(height, width)
    if zoom < 1:
        size = max(1, round(width * zoom)), max(1, round(height * zoom))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return jpeg.tobytes()
