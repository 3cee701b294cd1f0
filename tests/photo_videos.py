"""Videos that pan across photos, and near duplicates of them."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from video_recommender.similarity.duplicates import HashedFrames
from video_recommender.similarity.perceptual_hash import hash_images

RATE = 3.0
PHOTOS = {"cat": data.chelsea, "cup": data.coffee, "woman": data.astronaut, "rocket": data.rocket}

Clip = NDArray[np.uint8]


@dataclass(frozen=True)
class Camera:
    """Creates videos as arrays: uint8, shape (frames, size, size, 3)."""

    def record(self, photo: str, frames: int = 18, start: float = 0.0, speed: float = 0.01, zoom: float = 0.5) -> Clip:
        image = PHOTOS[photo]()
        height, width = image.shape[:2]
        side = int(min(height, width) * zoom)
        shots = []
        for step in range(frames):
            left = int((start + speed * step) % 1 * (width - side))
            shots.append(cv2.resize(image[:side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA))
        return np.array(shots)

    def hashed(self, video: Clip, start_s: float = 0.0) -> HashedFrames:
        numbers, hashes = hash_images(video)
        return HashedFrames(start_s + (numbers - 1) / RATE, hashes)


def recoded(video: Clip) -> Clip:
    return np.array(
        [cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], 1) for frame in video]
    )


def resized(video: Clip) -> Clip:
    return np.array(
        [cv2.resize(cv2.resize(frame, (96, 96), interpolation=cv2.INTER_AREA), (224, 224)) for frame in video]
    )


def cropped(video: Clip) -> Clip:
    return np.array([cv2.resize(frame[20:206, 14:200], (224, 224)) for frame in video])


def trimmed(video: Clip) -> Clip:
    return video[5:15]


COPIES: dict[str, Callable[[Clip], Clip]] = {
    "recoded": recoded,
    "resized": resized,
    "cropped": cropped,
    "trimmed": trimmed,
}
