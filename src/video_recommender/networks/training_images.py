"""The images that a head learns from: which there are, of which class, and what must not straddle a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import pandas as pd

from video_recommender.incremental.partitions import RECORDS
from video_recommender.media.frames import EncodedFrames, FrameFolder, Picture
from video_recommender.media.photo import Photo
from video_recommender.media.video import VideoError
from video_recommender.sources.folder import unique_slugs
from video_recommender.sources.photos import list_photo_folder

VERSION = 1
"""Raised when the same source would give other training images than before, so that they are made again."""

JPEG_QUALITY = 95


@dataclass(frozen=True)
class ChosenFrames:
    """Frames of one video that become training images.

    Attributes:
        folder: all frames of the video.
        numbers: which of them, from 1, in order of time.
    """

    folder: FrameFolder
    numbers: tuple[int, ...]

    def read(self) -> EncodedFrames:
        """Read the chosen frames as they are, once sure that each is a picture.

        Raises:
            VideoError: if one is missing or not a readable picture.
        """
        files = {int(file.stem): file for file in self.folder.files}
        missing = [number for number in self.numbers if number not in files]
        if missing:
            raise VideoError("damaged", f"{self.folder.path} lacks frame {missing[0]}: run preprocessing again")
        encoded = EncodedFrames(tuple(files[number].read_bytes() for number in self.numbers))
        encoded.decode()
        return encoded


@dataclass(frozen=True)
class SquarePhoto:
    """A photo of one's own that becomes a training image, cut to the centre square as frames are.

    Attributes:
        photo: where it lies.
        size: height and width of the training image, pixels.
    """

    photo: Photo
    size: int

    def read(self) -> EncodedFrames:
        """Read and cut the photo.

        Raises:
            VideoError: if it is not a readable picture.
        """
        square = cv2.cvtColor(_centre_square(self.photo.decode(self.size, self.size), self.size), cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return EncodedFrames((jpeg.tobytes(),))


ImageTask: TypeAlias = ChosenFrames | SquarePhoto


@dataclass(frozen=True)
class ImageSource:
    """One video or photo that gives training images.

    Attributes:
        key: `<class>/<group>/<name>`, safe as a path everywhere.
        class_name: what it shows.
        group: what must not straddle a split.
        source: the `video_id`, or the photo's path.
        fingerprint: digest of its content.
        images: how many it gives.
        task: reads them.
    """

    key: str
    class_name: str
    group: str
    source: str
    fingerprint: str
    images: int
    task: ImageTask


def list_image_folder(folder: Path, size: int) -> list[ImageSource]:
    """List the images of a folder that has one sub-folder per class.

    Images in a folder within a class belong together: they are one group, also with those in a folder of the same name
    within another class. An image beside such folders is a group of its own.

    Args:
        folder: holds `<class>/<image>` and `<class>/<group>/<image>`.
        size: height and width of the training images, pixels.

    Returns:
        A source per image, by class and path.

    Raises:
        ValueError: if there is no such folder or no image in it, if an image lies in two classes, or if it is the
            project's own.
    """
    root = folder.expanduser().absolute()
    if (root / RECORDS).is_dir():
        raise ValueError(
            f"{root} is where this project keeps its own images: copy its sub-folders into a folder of your own, and "
            "name that one with --params=transfer_learning.images=…"
        )
    photos = list_photo_folder(root)
    classes = unique_slugs({photo.category: photo.category for photo in photos})
    groups = {photo.path: _group(photo, root) for photo in photos}
    folders = unique_slugs({group: group for group in groups.values()})
    names = unique_slugs({str(photo.path): _name(photo, root) for photo in photos})
    return [
        ImageSource(
            key=f"{classes[photo.category]}/{folders[groups[photo.path]]}/{names[str(photo.path)]}",
            class_name=photo.category,
            group=folders[groups[photo.path]],
            source=str(photo.path),
            fingerprint=photo.digest,
            images=1,
            task=SquarePhoto(photo, size),
        )
        for photo in photos
    ]


def group_folders(groups: Sequence[str]) -> dict[str, str]:
    """Name a folder for every group of videos, by the group's name.

    The same folder stands for the group in a training image's key, so that a corrected copy of the training images is
    still split as the videos are.
    """
    return unique_slugs({group: group for group in sorted(set(groups))})


def check_classes(class_names: pd.Series, least_images: int) -> None:
    """Make sure that there is something to learn.

    Args:
        class_names: the class of each image.
        least_images: how many images each class must have.

    Raises:
        ValueError: if there are fewer than two classes, or one has too few images.
    """
    images = class_names.value_counts()
    if len(images) < 2:
        raise ValueError(
            f"A network learns to tell classes apart, but there is {len(images) or 'no'} class: give a folder with two "
            "sub-folders of images or more (transfer_learning.images), or videos of two categories"
        )
    if images.min() < least_images:
        raise ValueError(
            f"The class '{images.idxmin()}' has {images.min()} images, but at least {least_images} are needed: add "
            "images, remove the class, or lower transfer_learning.least_images"
        )


def _group(photo: Photo, root: Path) -> str:
    _class, *folders, name = photo.path.relative_to(root).parts
    return folders[0] if folders else f"{photo.category} {name}"


def _name(photo: Photo, root: Path) -> str:
    return " ".join(photo.path.relative_to(root).with_suffix("").parts[-2:])


def _centre_square(picture: Picture, size: int) -> Picture:
    height, width, _ = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=method).astype(picture.dtype, copy=False)
