"""Small pictures of videos that can be written into a page."""

import base64
from typing import Final

import cv2

from video_recommender.frame_folder import EncodedFrames, FrameFolder, Picture

SIDE: Final = 112
"""Longer side of a thumbnail, in pixels."""

QUALITY: Final = 75
"""Of JPEG, 0 to 100."""


def thumbnail(frames: FrameFolder | EncodedFrames) -> str:
    """Shrink the frame in the middle of a video.

    Args:
        frames: of one video; only one is decoded.

    Returns:
        A JPEG as a `data:` URI (RFC 2397).

    Raises:
        VideoError: if the frame is not a readable picture.
    """
    number = max(1, len(frames.files if isinstance(frames, FrameFolder) else frames) // 2)
    pictures = frames.pictures(step=number)
    first = next(pictures)
    return _as_uri(next(pictures, first))


def _as_uri(picture: Picture) -> str:
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
