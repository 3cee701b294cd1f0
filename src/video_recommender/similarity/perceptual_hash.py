"""Perceptual hashes of frames: similar for similar pictures, whatever their size and encoding."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import imagehash
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from video_recommender.media.frames import Picture

VERSION: Final = 2
"""Increment it when hashes change, so that existing ones become stale."""

ZOOMS: Final = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Shares of width and height around the centre that are hashed, to match cropped copies."""

HASH_BITS: Final = 64
WORKING_SIZE: Final = 128
"""Side of the grey picture that the zooms are cropped from, in pixels."""

TRANSFORMED_SIZE: Final = 32
"""Side of the input of the cosine transform, in pixels."""

MIN_CONTRAST: Final = 8.0
"""Standard deviation of grey levels (0 to 255) below which a frame, such as a black one, matches too many others."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class HashedFrames:
    """Hashes of the frames of one video, without those of low contrast.

    Attributes:
        frames: int64, shape (n,): frame numbers, from 1.
        times_s: float64, shape (n,): seconds from the start of the video.
        hashes: uint64, shape (n, zooms), in the order of `ZOOMS`.
    """

    frames: NDArray[np.int64]
    times_s: NDArray[np.float64]
    hashes: Hashes

    def __len__(self) -> int:
        return len(self.frames)


def hash_pictures(pictures: Iterable[Picture]) -> tuple[NDArray[np.int64], Hashes]:
    """Hash every picture at every zoom, except for those without contrast.

    The hash is pHash (Zauner 2010, https://www.phash.org/docs/pubs/thesis_zauner.pdf) as in ImageHash: the signs of the
    lowest frequencies of the cosine transform.

    Args:
        pictures: in order of time.

    Returns:
        Numbers of the hashed pictures, from 1: int64, shape (n,); their hashes: uint64, shape (n, zooms).
    """
    edges = [round(WORKING_SIZE * (1 - zoom) / 2) for zoom in ZOOMS]
    numbers, hashed = [], []
    for number, picture in enumerate(pictures, start=1):
        grey = _shrink(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), WORKING_SIZE)
        if grey.std() >= MIN_CONTRAST:
            numbers.append(number)
            hashed.append([_hash(grey[edge : WORKING_SIZE - edge, edge : WORKING_SIZE - edge]) for edge in edges])
    return np.array(numbers, dtype=np.int64), np.array(hashed, dtype=np.uint64).reshape(-1, len(ZOOMS))


def _hash(grey: NDArray[np.uint8]) -> int:
    # ImageHash does not resize a picture of this size; its own resizing takes seven times as long
    picture = Image.fromarray(_shrink(grey, TRANSFORMED_SIZE))
    return int.from_bytes(np.packbits(imagehash.phash(picture).hash).tobytes(), "big")


def _shrink(grey: MatLike, side: int) -> NDArray[np.uint8]:
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
