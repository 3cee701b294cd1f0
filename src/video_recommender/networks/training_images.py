"""Training images for a classification head: photos or distinct frames of videos, with augmented views."""

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

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames, Photo, RgbImage
from video_recommender.media.video import VideoError
from video_recommender.schemas import Corpus
from video_recommender.sources.listing import unique_slugs
from video_recommender.sources.photos import list_photo_folder
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import STATE_FOLDER

JPEG_QUALITY: Final = 95
NEAR_DUPLICATE_BITS: Final = 10  # maximum Hamming distance between 64-bit hashes of near-duplicates
MAX_CLASS_IMBALANCE: Final = 3
"""Maximum number of images of a class relative to the smallest class. Class weights compensate for the rest."""

AUGMENTED_VIEWS: Final = 1  # per image, in addition to the image itself
MIN_CROP_AREA: Final = 0.6  # minimum share of the image that a view shows
COLOUR_JITTER: Final = 0.25  # maximum change of contrast, relative to 1, and of brightness, relative to 128


class TransferLearningOptions(BaseModel, extra="forbid", frozen=True):
    """Options of transfer learning (parameters_transfer_learning.yml)."""

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
    """Frames of one video that are training images. The frame numbers are 1-based and in order of time."""

    folder: FrameFolder
    numbers: tuple[int, ...]

    def read(self) -> EncodedFrames:
        """Read the JPEG files unchanged, or raise a `VideoError` if a file is missing or cannot be decoded."""
        files = {int(file.stem): file for file in self.folder.files}
        missing = [number for number in self.numbers if number not in files]
        if missing:
            raise VideoError("damaged", f"Frame {missing[0]} is missing in {self.folder.path}: run preprocessing again")
        encoded = EncodedFrames(tuple(files[number].read_bytes() for number in self.numbers))
        encoded.decode()
        return encoded


@dataclass(frozen=True)
class CroppedPhoto:
    """A photo that is a training image, cropped to its central square and resized to `size` × `size` pixels."""

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
    """A video or photo that provides training images."""

    key: str  # `<class>/<group>/<name>`, a valid path on every system
    class_name: str
    group: str  # images of one group stay in one fold
    source: str  # the `video_id`, or the photo's path
    digest: str  # of content and label
    images: int
    reader: SelectedFrames | CroppedPhoto

    @property
    def properties(self) -> dict[str, str | int]:
        """Properties in the state of the partition."""
        return {"class_name": self.class_name, "group": self.group, "source": self.source, "images": self.images}


def list_image_folder(folder: Path, size: int) -> list[ImageSource]:
    """List the images `<class>/<image>` and `<class>/<group>/<image>` of a folder, sorted by class and path.

    Images in sub-folders of the same name form a group, even if their classes differ. Every other image forms a group
    of one image. A `ValueError` is raised if the folder is missing, has no images or belongs to the project, or if an
    image is in two classes.
    """
    root = folder.expanduser().absolute()
    if (root / STATE_FOLDER).is_dir():
        raise ValueError(
            f"The project stores its own training images in {root}: copy its sub-folders to another folder, and select "
            "that folder with --params=transfer_learning.images=…"
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
    """Return the folder name of each video's group (index `video_id`).

    The folder is part of the key of a training image, so that a corrected copy of the images has the same groups.
    """
    groups = corpus.set_index("video_id")["group"]
    return groups.map(unique_slugs({group: group for group in sorted(set(groups))}))


def check_classes(class_names: pd.Series, min_images: int) -> None:
    """Raise a `ValueError` if there are fewer than two classes, or a class has fewer than `min_images` images."""
    images = class_names.value_counts()
    if len(images) < 2:
        raise ValueError(
            f"Training requires at least two classes (found: {len(images)}): use a folder with a sub-folder of images "
            "per class (transfer_learning.images), or videos of two categories"
        )
    if images.min() < min_images:
        raise ValueError(
            f"The class '{images.idxmin()}' has {images.min()} images, but at least {min_images} are required: add "
            "images, remove the class, or reduce transfer_learning.min_images"
        )


def select_distinct_frames(frames: NDArray[np.int64], hashes: NDArray[np.uint64], max_frames: int) -> list[int]:
    """Select distinct frames of one video by farthest-point sampling (Gonzalez 1985) of their 64-bit hashes.

    Selection starts with the middle frame and ends when only near-duplicates remain. The numbers in
    `frames`, shape (n,), are returned in order of selection, so that the first k frames are distinct for every k.
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
    """Limit classes to `MAX_CLASS_IMBALANCE` times the number of frames of the smallest class.

    All videos of a class keep their first selected frame before any video keeps a second frame, and so on. Videos
    without remaining frames are dropped. Frame numbers are returned in order of time. `class_names` has the index
    `video_id`.
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
    """Yield 1 + `AUGMENTED_VIEWS` views of each image, uint8 RGB, of the same size. The first view is the image itself.

    The other views are randomly cropped and flipped, with random contrast and brightness. They depend on the seed and
    on the content and position of the image, not on the number of images.
    """
    for number, image in enumerate(images):
        random = np.random.default_rng([seed, number, zlib.crc32(image.tobytes())])
        yield np.stack([image, *(_random_view(image, random) for _ in range(AUGMENTED_VIEWS))])


def _group(photo: Photo, root: Path) -> str:
    _class, *folders, name = photo.path.relative_to(root).parts
    return folders[0] if folders else f"{photo.category} {name}"


def _random_view(image: RgbImage, random: np.random.Generator) -> RgbImage:
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
