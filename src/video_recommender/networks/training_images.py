"""Training images for a classification head: a user's photos, or distinct frames of videos, and augmented views."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames, Photo, Picture
from video_recommender.media.video import VideoError
from video_recommender.schemas import Corpus
from video_recommender.sources.listing import unique_slugs
from video_recommender.sources.photos import list_photo_folder
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import STATE_FOLDER

JPEG_QUALITY: Final = 95
NEAR_DUPLICATE_BITS: Final = 10  # frames whose 64-bit hashes differ in no more bits are near-duplicates
MAX_CLASS_IMBALANCE: Final = 3
"""Greatest number of images of a class relative to the smallest class; class weights balance the rest."""

AUGMENTED_VIEWS: Final = 1  # per image, besides the image itself: each costs as much inference time as the image
MIN_CROP_AREA: Final = 0.6  # least share of the image's area that a view shows
COLOUR_JITTER: Final = 0.25  # greatest relative change of contrast; brightness changes by as much of 128


class TransferLearningOptions(BaseModel, extra="forbid", frozen=True):
    """Which classes a head learns, and how (parameters_transfer_learning.yml)."""

    images: Path | None = None
    frames_per_video: PositiveInt = 6
    min_images: Annotated[int, Field(ge=2)] = 10
    features: Literal["objects", "embedding"] = "objects"
    folds: Annotated[int, Field(ge=2)] = 5
    epochs: PositiveInt = 40
    learning_rate: PositiveFloat = 0.01
    rejection_rate: Annotated[float, Field(ge=0, lt=1)] = 0.05


@dataclass(frozen=True)
class SelectedFrames:
    """Frames of one video that become training images, by their numbers from 1, in order of time."""

    folder: FrameFolder
    numbers: tuple[int, ...]

    def read(self) -> EncodedFrames:
        """Read the JPEG files as they are, or raise a `VideoError` if one is missing or cannot be decoded."""
        files = {int(file.stem): file for file in self.folder.files}
        missing = [number for number in self.numbers if number not in files]
        if missing:
            raise VideoError("damaged", f"{self.folder.path} lacks frame {missing[0]}: run preprocessing again")
        encoded = EncodedFrames(tuple(files[number].read_bytes() for number in self.numbers))
        encoded.decode()
        return encoded


@dataclass(frozen=True)
class CroppedPhoto:
    """A user's photo that becomes a training image of `size` × `size` pixels: the central square, as of frames."""

    photo: Photo
    size: int

    def read(self) -> EncodedFrames:
        """Read and crop the photo, or raise a `VideoError` if it is not a readable image."""
        image = self.photo.decode(self.size, self.size)
        height, width, _ = image.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = image[top : top + side, left : left + side]
        method = cv2.INTER_AREA if side >= self.size else cv2.INTER_LINEAR
        resized = cv2.resize(square, (self.size, self.size), interpolation=method)
        bgr = cv2.cvtColor(resized, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return EncodedFrames((jpeg.tobytes(),))


@dataclass(frozen=True)
class ImageSource:
    """One video or photo that provides training images."""

    key: str  # `<class>/<group>/<name>`, a valid path on every system
    class_name: str
    group: str  # images of one group stay in one fold
    source: str  # the `video_id`, or the photo's path
    digest: str  # of its content and its label
    images: int
    reader: SelectedFrames | CroppedPhoto

    @property
    def properties(self) -> dict[str, str | int]:
        """What is known of the images before they are read."""
        return {"class_name": self.class_name, "group": self.group, "source": self.source, "images": self.images}


def list_image_folder(folder: Path, size: int) -> list[ImageSource]:
    """List the images of a folder, `<class>/<image>` and `<class>/<group>/<image>`, by class and path.

    Images in sub-folders of the same name form a group, also if their classes differ. Each other image is a group of
    its own. A folder that is missing, contains no image or is the project's own, or an image in two classes, raises a
    `ValueError`.
    """
    root = folder.expanduser().absolute()
    if (root / STATE_FOLDER).is_dir():
        raise ValueError(
            f"{root} is where this project stores its own images: copy its sub-folders into a folder of your own, and "
            "select that one with --params=transfer_learning.images=…"
        )
    photos = list_photo_folder(root)
    classes = unique_slugs({photo.category: photo.category for photo in photos})
    groups = {photo.path: _group(photo, root) for photo in photos}
    folders = unique_slugs({group: group for group in groups.values()})
    names = {str(photo.path): " ".join(photo.path.relative_to(root).with_suffix("").parts[-2:]) for photo in photos}
    slugs = unique_slugs(names)
    return [
        ImageSource(
            key=f"{classes[photo.category]}/{folders[groups[photo.path]]}/{slugs[str(photo.path)]}",
            class_name=photo.category,
            group=folders[groups[photo.path]],
            source=str(photo.path),
            digest=fingerprint(photo.digest, photo.category),
            images=1,
            reader=CroppedPhoto(photo, size),
        )
        for photo in photos
    ]


def group_folders(corpus: DataFrame[Corpus]) -> pd.Series:
    """Name the folder of each video's group (index `video_id`).

    The key of a training image contains this folder, so that a corrected copy of the training images has the same
    groups.
    """
    groups = corpus.set_index("video_id")["group"]
    return groups.map(unique_slugs({group: group for group in sorted(set(groups))}))


def check_classes(class_names: pd.Series, min_images: int) -> None:
    """Raise a `ValueError` if there are fewer than two classes, or one has fewer than `min_images`."""
    images = class_names.value_counts()
    if len(images) < 2:
        raise ValueError(
            f"Training needs at least two classes, but there is {len(images) or 'no'} class: give a folder with two or "
            "more sub-folders of images (transfer_learning.images), or videos of two categories"
        )
    if images.min() < min_images:
        raise ValueError(
            f"The class '{images.idxmin()}' has {images.min()} images, but at least {min_images} are needed: add "
            "images, remove the class, or lower transfer_learning.min_images"
        )


def select_distinct_frames(frames: NDArray[np.int64], hashes: NDArray[np.uint64], max_frames: int) -> list[int]:
    """Select frames of one video that differ as much as possible.

    Farthest-point sampling (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"), starting with
    the middle frame, until only near-duplicates remain. Frame numbers are in order of selection, so that any first few
    are distinct too.
    """
    if not len(frames):
        return []
    selected = [len(frames) // 2]
    distances = np.bitwise_count(hashes ^ hashes[selected[0]])
    while len(selected) < max_frames and distances.max() > NEAR_DUPLICATE_BITS:
        selected.append(int(distances.argmax()))
        distances = np.minimum(distances, np.bitwise_count(hashes ^ hashes[selected[-1]]))
    return [int(frames[position]) for position in selected]


def balance_classes(selected: Mapping[str, Sequence[int]], class_names: pd.Series) -> dict[str, list[int]]:
    """Drop frames of large classes, to `MAX_CLASS_IMBALANCE` times the images of the smallest class.

    Every video of a class keeps the first frame of its selection before any keeps its second, and so on. The remaining
    frames are in order of time; videos without any are dropped. The class names have the index `video_id`.
    """
    ranked = pd.DataFrame(
        [(video_id, rank, frame) for video_id, frames in selected.items() for rank, frame in enumerate(frames)],
        columns=["video_id", "rank", "frame"],
    )
    ranked["class_name"] = ranked["video_id"].map(class_names)
    limit = MAX_CLASS_IMBALANCE * ranked["class_name"].value_counts().min() if len(ranked) else 0
    kept = ranked.sort_values(["rank", "video_id"]).groupby("class_name").head(int(limit))
    return {str(video_id): sorted(frames["frame"].tolist()) for video_id, frames in kept.groupby("video_id")}


def augment(images: Frames, seed: int) -> Iterator[Frames]:
    """Yield for each image 1 + `AUGMENTED_VIEWS` images of the same size; the first is the image itself.

    The others are flipped and cropped, and change in contrast and brightness, at random. Changes depend on the seed and
    on an image's content and position, not on the number of images.
    """
    for number, image in enumerate(images):
        random = np.random.default_rng([seed, number, zlib.crc32(image.tobytes())])
        yield np.stack([image, *(_random_view(image, random) for _ in range(AUGMENTED_VIEWS))])


def _group(photo: Photo, root: Path) -> str:
    _class, *folders, name = photo.path.relative_to(root).parts
    return folders[0] if folders else f"{photo.category} {name}"


def _random_view(image: Picture, random: np.random.Generator) -> Picture:
    height, width, _ = image.shape
    scale = np.sqrt(random.uniform(MIN_CROP_AREA, 1))
    crop_height, crop_width = round(height * scale), round(width * scale)
    top, left = random.integers(height - crop_height + 1), random.integers(width - crop_width + 1)
    crop = image[top : top + crop_height, left : left + crop_width]
    view = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
    flipped = view[:, ::-1] if random.random() < 0.5 else view
    contrast = 1 + random.uniform(-COLOUR_JITTER, COLOUR_JITTER)
    brightness = 128 * random.uniform(-COLOUR_JITTER, COLOUR_JITTER)
    return (flipped * contrast + brightness).clip(0, 255).astype(np.uint8)
