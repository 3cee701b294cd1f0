"""Embeddings of training images and of randomly augmented views of them."""

import zlib
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import FrameFolder, Frames, Picture
from video_recommender.media.video import VideoError
from video_recommender.networks.detections import batch_pictures
from video_recommender.networks.frame_classifier import FrameClassifier

AUGMENTED_VIEWS: Final = 1
"""Per image, besides the image itself: each costs as much inference time as the image."""

MIN_CROP_AREA: Final = 0.6
"""Least share of the picture's area that a view shows."""

COLOUR_JITTER: Final = 0.25
"""Greatest relative change of contrast; brightness changes by as much of 128."""

Embeddings = NDArray[np.float32]
"""Output of the penultimate layer: float32, shape (…, features)."""


def embed_views(folder: FrameFolder, classifier: FrameClassifier, seed: int) -> Embeddings:
    """Embed training images and augmented views of them.

    Args:
        folder: the images of one video or photo.
        classifier: the frozen network.
        seed: of the augmentation.

    Returns:
        Shape (images, 1 + `AUGMENTED_VIEWS`, features); the first view is the image itself.

    Raises:
        VideoError: if there is no image or one cannot be read.
    """
    return np.stack([classifier.predict(views).embeddings for views in augment(folder.decode(), seed)])


def embed_frames(folder: FrameFolder, classifier: FrameClassifier) -> Embeddings:
    """Embed all frames of one video.

    Returns:
        Shape (frames, features).

    Raises:
        VideoError: if there is no frame or one cannot be read.
    """
    rows = [classifier.predict(batch).embeddings for batch in batch_pictures(folder.pictures())]
    if not rows:
        raise VideoError("damaged", f"{folder.path} contains no frames: delete it and run preprocessing again")
    return np.concatenate(rows)


def augment(images: Frames, seed: int) -> Iterator[Frames]:
    """Flip and crop images and change their contrast and brightness at random.

    Args:
        images: uint8 RGB, shape (n, height, width, 3).
        seed: of the changes; those of an image depend on its content and position, not on the number of images.

    Yields:
        For each image 1 + `AUGMENTED_VIEWS` pictures of the same size; the first is the image itself.
    """
    for number, image in enumerate(images):
        random = np.random.default_rng([seed, number, zlib.crc32(image.tobytes())])
        yield np.stack([image, *(_random_view(image, random) for _ in range(AUGMENTED_VIEWS))])


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
