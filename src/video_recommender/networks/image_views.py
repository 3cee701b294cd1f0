"""What the frozen network makes of training images, as they are and as they might have been taken."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import FrameFolder, Frames, Picture
from video_recommender.media.video import VideoError
from video_recommender.networks.frame_classifier import FrameClassifier

VERSION = 1
"""Raised when the same images would give other features than before, so that they are made again."""

SMALLEST_CROP = 0.6
"""Least share of the picture's area that a view shows."""

LIGHT = 0.25
"""By how much of itself a view's contrast may change; its brightness by that share of 128."""

Features = NDArray[np.float32]
"""What the network's last layer looks at: float32; features along the last axis."""


@dataclass(frozen=True)
class ImagesToView:
    """Training images to look at, and where chance begins.

    Attributes:
        folder: the images.
        views: how many changed copies of each to look at besides the image itself.
        seed: of the changes.
    """

    folder: FrameFolder
    views: int
    seed: int


def describe_views(task: ImagesToView, classifier: FrameClassifier) -> Features:
    """Run the network over images and changed copies of them.

    Args:
        task: the images.
        classifier: the network, ready to run.

    Returns:
        Shape (images, 1 + views, features); the image itself comes first.

    Raises:
        VideoError: if there is no image or one cannot be read.
    """
    described = [
        classifier.describe(np.stack(list(views))).embeddings
        for views in views_of(task.folder.decode(), task.views, task.seed)
    ]
    return np.stack(described)


def views_of(images: Frames, views: int, seed: int) -> Iterator[Iterator[Picture]]:
    """Give each image and changed copies of it: mirrored, cropped and in another light, each at random.

    Args:
        images: uint8 RGB, shape (n, height, width, 3).
        views: how many copies of each.
        seed: of the changes; the changes of an image do not depend on the number of images.

    Yields:
        Per image, 1 + views pictures of the same size; the image itself comes first.
    """
    for number, image in enumerate(images):
        random = np.random.default_rng([seed, number])
        yield iter([image, *(_changed(image, random) for _ in range(views))])


def describe_frames_of(folder: FrameFolder, classifier: FrameClassifier) -> Features:
    """Run the network over all frames of one video.

    Returns:
        Shape (frames, features).

    Raises:
        VideoError: if there is no frame or one cannot be read.
    """
    rows = [classifier.describe(picture[np.newaxis]).embeddings for picture in folder.pictures()]
    if not rows:
        raise VideoError("damaged", f"{folder.path} holds no frames: delete it and run preprocessing again")
    return np.concatenate(rows)


def _changed(image: Picture, random: np.random.Generator) -> Picture:
    height, width, _ = image.shape
    share = np.sqrt(random.uniform(SMALLEST_CROP, 1))
    crop_height, crop_width = round(height * share), round(width * share)
    top, left = random.integers(height - crop_height + 1), random.integers(width - crop_width + 1)
    crop = image[top : top + crop_height, left : left + crop_width]
    view = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
    mirrored = view[:, ::-1] if random.random() < 0.5 else view
    contrast, brightness = 1 + random.uniform(-LIGHT, LIGHT), 128 * random.uniform(-LIGHT, LIGHT)
    return (mirrored * contrast + brightness).clip(0, 255).astype(np.uint8)
