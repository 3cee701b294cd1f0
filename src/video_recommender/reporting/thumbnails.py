"""Thumbnails of videos: the middle frame, scaled down and encoded as JPEG."""

import base64
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

import cv2

from video_recommender.media.frames import FrameFolder, Picture
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.storage.digests import fingerprint

EMBEDDED_SIDE: Final = 112
"""Longer side, in pixels, of the thumbnails embedded in reports and notebooks: about 4 kB each."""
CACHED_SIDE: Final = 320
"""Longer side, in pixels, of the gallery's thumbnails, which are sharp on high-density screens."""
JPEG_QUALITY: Final = 80


def middle_frame(frames: int) -> int:
    """Compute the number, from 1, of the middle one of `frames` frames."""
    return frames // 2 + 1


def middle_picture(folder: FrameFolder) -> Picture:
    """Read the middle frame of a video.

    Raises:
        VideoError: if the folder is empty or the frame is not a readable image.
    """
    frames = len(folder.files)
    if not frames:
        raise VideoError("damaged", f"{folder.path} holds no frames: delete it and run preprocessing again")
    pictures = folder.pictures(step=max(1, middle_frame(frames) - 1))
    first = next(pictures)
    return next(pictures, first)


def first_picture(video: VideoFile) -> Picture:
    """Decode the first frame of a video; raise a `VideoError` if the file is not a usable video."""
    return next(sample_frames(video, PreprocessingOptions(max_frames=1)).frames.pictures())


def encode_thumbnail(picture: Picture, longest_side: int) -> bytes:
    """Encode a picture as JPEG, scaled down so that its longer side has at most `longest_side` pixels."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()


def picture_uri(picture: Picture) -> str:
    """Encode a thumbnail of a picture as a `data:` URI (RFC 2397)."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode_thumbnail(picture, EMBEDDED_SIDE)).decode()}"


def thumbnail_uri(folder: FrameFolder) -> str:
    """Encode a thumbnail of the middle frame of a video as a `data:` URI; see `middle_picture`."""
    return picture_uri(middle_picture(folder))


class ThumbnailCache:
    """A folder of JPEG thumbnails, created on demand; it may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, video_id: str, version: str, make: Callable[[], Picture]) -> bytes:
        """Return the JPEG thumbnail of a video from the cache, or create it.

        Args:
            video_id: hashed, so that it never becomes part of a path.
            version: identifies the content of the video; thumbnails of other versions are deleted.
            make: returns the picture if the cache has none.
        """
        name = fingerprint(video_id)
        file = self._folder / f"{name}-{fingerprint(version)}.jpg"
        with contextlib.suppress(OSError):
            return file.read_bytes()
        jpeg = encode_thumbnail(make(), CACHED_SIDE)
        with contextlib.suppress(OSError):  # a full or read-only disk must not prevent the thumbnail from being shown
            self._save(file, jpeg)
            for stale in self._folder.glob(f"{name}-*.jpg"):
                if stale != file:
                    stale.unlink(missing_ok=True)
        return jpeg

    def _save(self, file: Path, jpeg: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".part-{uuid4().hex}")
        try:
            partial.write_bytes(jpeg)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
