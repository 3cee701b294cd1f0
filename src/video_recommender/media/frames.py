"""The frames of one video: as JPEGs in memory before they are saved, as a folder afterwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from upath import UPath

from video_recommender.media.video import VideoError
from video_recommender.storage.paths import StoragePath

Picture = NDArray[np.uint8]
"""One picture: uint8 RGB, shape (height, width, 3)."""

Frames = NDArray[np.uint8]
"""Pictures in order of time: uint8 RGB, shape (n, height, width, 3)."""


@dataclass(frozen=True)
class EncodedFrames:
    """The frames of one video before they are saved.

    Attributes:
        jpegs: one JPEG file (ITU-T T.81) per frame, in order of time.
    """

    jpegs: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.jpegs)

    def pictures(self, step: int = 1) -> Iterator[Picture]:
        """Decode the frames one by one, in order of time.

        Args:
            step: how many frames to go on after each; 1 takes all.

        Raises:
            VideoError: if one is not a readable picture.
        """
        for number, jpeg in enumerate(self.jpegs[::step]):
            yield _decode(jpeg, f"Frame {1 + number * step}")

    def decode(self) -> Frames:
        """Decode every frame.

        Returns:
            uint8 RGB, shape (n, height, width, 3).

        Raises:
            VideoError: if there is no frame, or one is not a readable picture.
        """
        if not self.jpegs:
            raise VideoError("empty", "The video holds no frames: run preprocessing again")
        return np.stack(list(self.pictures()))


@dataclass(frozen=True)
class FrameFolder:
    """The saved frames of one video: a folder of `1.jpg`, `2.jpg`, … in order of time.

    Attributes:
        path: the folder.
    """

    path: StoragePath

    @property
    def files(self) -> Sequence[StoragePath]:
        """The frames' files in order of time (numerically: 2.jpg comes before 10.jpg)."""
        try:
            frames = [file for file in self.path.iterdir() if file.suffix == ".jpg" and file.stem.isdecimal()]
        except (FileNotFoundError, NotADirectoryError):  # an object store knows no folders without files
            return []
        return sorted(frames, key=lambda file: int(file.stem))

    def read(self) -> EncodedFrames:
        """Read every frame, still compressed."""
        return EncodedFrames(tuple(_contents(self.files)))

    def pictures(self, step: int = 1) -> Iterator[Picture]:
        """Read and decode the frames one by one, in order of time.

        Args:
            step: how many frames to go on after each; 1 takes all.

        Raises:
            VideoError: if one is not a readable picture.
        """
        files = self.files[::step]
        for file, jpeg in zip(files, _contents(files), strict=True):
            yield _decode(jpeg, str(file))

    def decode(self) -> Frames:
        """Decode every frame.

        Returns:
            uint8 RGB, shape (n, height, width, 3).

        Raises:
            VideoError: if the folder is empty or a frame is not a readable picture.
        """
        pictures = list(self.pictures())
        if not pictures:
            raise VideoError("damaged", f"{self.path} holds no frames: delete it and run preprocessing again")
        return np.stack(pictures)


def _contents(files: Sequence[StoragePath]) -> Iterator[bytes]:
    """Read files: from a disk one by one, from an object store, whose answers take their time, all at once."""
    objects = [file for file in files if isinstance(file, UPath)]
    if objects:
        contents = objects[0].fs.cat([file.path for file in objects], max_concurrency=1)  # each in one piece
        yield from (contents[file.path] for file in objects)
    else:
        yield from (file.read_bytes() for file in files)


def _decode(jpeg: bytes, name: str) -> Picture:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) if jpeg else None
    if picture is None:
        raise VideoError("damaged", f"{name} is not a readable picture: delete its folder and run preprocessing again")
    return picture.astype(np.uint8, copy=False)
