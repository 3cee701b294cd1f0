"""The picture that stands for a video."""

import base64
from typing import Final

import cv2

from video_recommender.media.frames import EncodedFrames, FrameFolder, Picture

SIDE: Final = 112
"""Longer side of a thumbnail, in pixels."""

QUALITY: Final = 75
"""Of JPEG, 0 to 100."""


def middle_frame(frames: int) -> int:
    """The number of the frame that stands for a video of so many: the one in the middle, from 1 on."""
    return frames // 2 + 1


def middle_picture(frames: FrameFolder | EncodedFrames) -> Picture:
    """Read the frame in the middle of a video.

    Args:
        frames: of one video; at most two are decoded.

    Returns:
        uint8 RGB, shape (height, width, 3).

    Raises:
        VideoError: if the frame is not a readable picture.
    """
    after_first = middle_frame(len(frames.files if isinstance(frames, FrameFolder) else frames)) - 1
    pictures = frames.pictures(step=max(1, after_first))
    first = next(pictures)
    return next(pictures, first)


def thumbnail(frames: FrameFolder | EncodedFrames) -> str:
    """Shrink the frame in the middle of a video.

    Args:
        frames: of one video.

    Returns:
        A JPEG as a `data:` URI (RFC 2397).

    Raises:
        VideoError: if the frame is not a readable picture.
    """
    return small_picture(middle_picture(frames))


def small_picture(picture: Picture) -> str:
    """Shrink a picture.

    Args:
        picture: uint8 RGB, shape (height, width, 3).

    Returns:
        A JPEG as a `data:` URI (RFC 2397), its longer side `SIDE` pixels long.
    """
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
