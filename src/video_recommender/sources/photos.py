"""Photos by category, read lazily from wherever they lie, and dealt into pools that share none."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile, ZipFile

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from video_recommender.media.frames import Picture
from video_recommender.media.video import VideoError
from video_recommender.storage.digests import fingerprint_bytes

PHOTO_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_REDUCED = (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_COLOR)


class Photo(BaseModel):
    """One photo by reference: it crosses a process border without its pixels.

    Attributes:
        category: what the photo shows.
        name: its file name.
        scene: what it shares with other photos of the same room, table or animal.
        digest: of its content; equal for equal photos, wherever they lie.
        path: its file, or the zip file (such as a wheel) that holds it.
        member: its path inside the zip file; empty for a file of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    name: str
    scene: str
    digest: str
    path: Path
    member: str = ""

    def read(self) -> bytes:
        """Read the photo, still compressed.

        Raises:
            VideoError: if it is no longer where it was.
        """
        try:
            if not self.member:
                return self.path.read_bytes()
            with ZipFile(self.path) as archive:
                return archive.read(self.member)
        except (OSError, KeyError, BadZipFile) as error:
            raise VideoError("unreadable", f"Photo {self.name} cannot be read from {self.path}: {error}") from error

    def decode(self, width: int, height: int) -> Picture:
        """Decode no more of the photo than is needed to cover a size; a small photo is decoded whole.

        Args:
            width: smallest wanted width, pixels.
            height: smallest wanted height, pixels.

        Returns:
            uint8 RGB, shape (height, width, 3), reduced by 8, 4, 2 or not at all.

        Raises:
            VideoError: if it is not a readable picture.
        """
        encoded = np.frombuffer(self.read(), np.uint8)
        picture = None
        for reduced in _REDUCED if encoded.size else ():
            picture = cv2.imdecode(encoded, reduced)
            if picture is None or (picture.shape[1] >= width and picture.shape[0] >= height):
                break
        if picture is None:
            raise VideoError("unreadable", f"Photo {self.name} is not a readable picture: remove {self.path}")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


class PhotoLibrary(Protocol):
    """Photos that may have to be fetched first."""

    def fetch(self) -> list[Photo]:
        """Find the photos, after fetching what is not there yet."""
        ...


class PhotoPool(BaseModel):
    """Photos of one category that no other pool has, not even of the same scene.

    Attributes:
        category: what the photos show.
        number: which of the category's pools, from 1.
        photos: at least one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    number: int
    photos: tuple[Photo, ...]


def list_photo_folder(folder: Path) -> list[Photo]:
    """Find the photos of a folder that has one sub-folder per category.

    A folder within a category holds photos of one scene; a photo beside it is a scene of its own. Of photos that are
    equal byte by byte within a category, the first is taken.

    Args:
        folder: holds `<category>/<photo>` and `<category>/<scene>/<photo>`.

    Returns:
        The photos by category and path, alphabetically.

    Raises:
        ValueError: if there is no such folder, no photo in it, or the same photo in two categories.
    """
    if not folder.is_dir():
        raise ValueError(f"There is no folder of photos {folder}: make it, with one sub-folder per category")
    files = sorted(file for file in folder.glob("*/**/*") if file.suffix.lower() in PHOTO_SUFFIXES and file.is_file())
    photos = {(photo.category, photo.digest): photo for photo in (_file(folder, file) for file in reversed(files))}
    if not photos:
        raise ValueError(f"{folder} has no photos: put .jpg or .png files into one sub-folder per category")
    listed = list(reversed(photos.values()))
    by_digest = {photo.digest: photo for photo in listed}
    for photo in listed:
        if photo is not by_digest[photo.digest]:
            other = by_digest[photo.digest].path
            raise ValueError(f"{photo.path} and {other} are the same photo in two categories: remove one of them")
    return listed


def deal_into_pools(photos: Sequence[Photo], pools: int, rng: np.random.Generator) -> list[PhotoPool]:
    """Deal one category's photos into disjoint pools of about the same size, a scene never into two.

    Args:
        photos: of one category.
        pools: how many pools; fewer where there are fewer scenes.
        rng: decides which scenes come together.

    Returns:
        At least two pools.

    Raises:
        ValueError: if all photos are of one scene.
    """
    by_scene = sorted(photos, key=lambda photo: (photo.scene, photo.name, photo.digest))
    scenes = [tuple(scene) for _, scene in groupby(by_scene, key=lambda photo: photo.scene)]
    category = by_scene[0].category if by_scene else ""
    if len(scenes) < 2:
        raise ValueError(
            f"Category {category!r} has photos of {len(scenes)} scene, but at least 2 are needed "
            "for clips that share no photo: add photos or remove the category"
        )
    hands: list[list[Photo]] = [[] for _ in range(min(pools, len(scenes)))]
    shuffled = [scenes[index] for index in rng.permutation(len(scenes))]
    for scene in sorted(shuffled, key=len, reverse=True):
        min(hands, key=len).extend(scene)
    return [
        PhotoPool(category=category, number=number, photos=tuple(hand)) for number, hand in enumerate(hands, start=1)
    ]


def _file(folder: Path, file: Path) -> Photo:
    category, *scene, name = file.relative_to(folder).parts
    return Photo(
        category=category,
        name=name,
        scene="/".join(scene) or file.stem,
        digest=fingerprint_bytes(file.read_bytes()),
        path=file,
    )
