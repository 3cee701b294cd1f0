"""Images: encoded frames of a video, in memory or in a folder, and references to photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel
from upath import UPath

from video_recommender.media.video import VideoError
from video_recommender.storage.paths import StoragePath

RgbImage = NDArray[np.uint8]  # an image: uint8 RGB, shape (height, width, 3)
Frames = NDArray[np.uint8]  # images in temporal order: uint8 RGB, shape (n, height, width, 3)
_SCALES = (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_COLOR)


@dataclass(frozen=True)
class EncodedFrames:
    """JPEG-encoded frames of one video in memory, in temporal order."""

    jpegs: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.jpegs)

    def images(self, step: int = 1) -> Iterator[RgbImage]:
        """Decode every `step`-th frame in temporal order. Raises a `VideoError` (`damaged`) if decoding fails."""
        for position, jpeg in enumerate(self.jpegs[::step]):
            yield _decode(jpeg, f"Frame {1 + position * step}")

    def decode(self) -> Frames:
        """Decode all frames into one array. Raises a `VideoError` (`empty` or `damaged`) if this is not possible."""
        if not self.jpegs:
            raise VideoError("empty", "The video has no frames: run preprocessing again")
        return np.stack(list(self.images()))


@dataclass(frozen=True)
class FrameFolder:
    """Saved frames of one video: a folder with `1.jpg`, `2.jpg`, … in temporal order."""

    path: StoragePath

    @property
    def files(self) -> Sequence[StoragePath]:
        """Files of the frames, in numerical order."""
        try:
            files = [file for file in self.path.iterdir() if file.suffix == ".jpg" and file.stem.isdecimal()]
        except (FileNotFoundError, NotADirectoryError):  # an object store has no empty folders
            return []
        return sorted(files, key=lambda file: int(file.stem))

    def images(self, step: int = 1) -> Iterator[RgbImage]:
        """Read every `step`-th frame in temporal order. Raises a `VideoError` (`damaged`) if decoding fails."""
        files = self.files[::step]
        for file, jpeg in zip(files, _read_files(files), strict=True):
            yield _decode(jpeg, str(file))

    def decode(self) -> Frames:
        """Decode all frames into one array. Raises a `VideoError` (`damaged`) if this is not possible."""
        images = list(self.images())
        if not images:
            raise VideoError("damaged", f"{self.path} contains no frames: delete it and run preprocessing again")
        return np.stack(images)


class Photo(BaseModel, extra="forbid", frozen=True):
    """Reference to a photo: a file, or a member of a zip file such as a wheel."""

    category: str
    name: str
    scene: str  # the same for photos of one room, table or animal
    digest: str  # of the content
    path: Path  # of the photo, or of the zip file that contains it as `member`
    member: str = ""

    def read(self) -> bytes:
        """Read the encoded photo, or raise a `VideoError` (`unreadable`)."""
        try:
            if not self.member:
                return self.path.read_bytes()
            with ZipFile(self.path) as archive:
                return archive.read(self.member)
        except (OSError, KeyError, BadZipFile) as error:
            message = f"Photo {self.name} cannot be read ({error}): restore or remove {self.path}"
            raise VideoError("unreadable", message) from error

    def decode(self, width: int, height: int) -> RgbImage:
        """Decode the photo at the smallest scale (1/8, 1/4, 1/2 or 1) that covers a width and height in pixels."""
        encoded = np.frombuffer(self.read(), np.uint8)
        image = None
        for scale in _SCALES if encoded.size else ():
            image = cv2.imdecode(encoded, scale)
            if image is None or (image.shape[1] >= width and image.shape[0] >= height):
                break
        if image is None:
            raise VideoError("unreadable", f"Photo {self.name} is not a readable image: replace or remove {self.path}")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def build_manifest(states: pd.DataFrame, frame_manifest: pd.DataFrame) -> pd.DataFrame:
    """Build the manifest of a stage from its states. Videos without frames keep the status from the frame manifest."""
    failed = frame_manifest.loc[frame_manifest["status"] != "ok", states.columns]
    return pd.concat([states.fillna({"frames": 0}), failed]).sort_values("video_id", ignore_index=True)


def _read_files(files: Sequence[StoragePath]) -> Iterator[bytes]:
    """Read files one by one from a disk, or concurrently from an object store, because requests have a high latency."""
    objects = [file for file in files if isinstance(file, UPath)]
    if objects:
        contents = objects[0].fs.cat([file.path for file in objects], max_concurrency=1)  # each object in one request
        yield from (contents[file.path] for file in objects)
    else:
        yield from (file.read_bytes() for file in files)


def _decode(jpeg: bytes, name: str) -> RgbImage:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) if jpeg else None
    if image is None:
        raise VideoError("damaged", f"{name} is not a readable image: delete its folder and run preprocessing again")
    return image.astype(np.uint8, copy=False)
