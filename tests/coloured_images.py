"""Images of coloured rectangles, a detector for them that needs no network, and fixtures."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from video_recommender.media.frames import FrameFolder
from video_recommender.networks.detected_objects import DetectedObjects
from video_recommender.networks.object_segmenter import ObjectSegmenter

CLASS_NAMES = {1: "person", 17: "cat", 18: "dog"}


@dataclass(frozen=True)
class ColourDetector:
    """Detects a red cat and a green dog; the score is the brightness."""

    digest: str = "colours"
    class_names: dict[int, str] = field(default_factory=lambda: CLASS_NAMES)

    @property
    def class_embeddings(self):
        return np.array([[0, 0, 1], [1, 0.5, 0], [0.5, 1, 0]], np.float32)

    def detect(self, image):
        height, width = image.shape[:2]
        boxes, numbers, scores = [], [], []
        for channel, number in ((0, 17), (1, 18)):
            rows, columns = np.nonzero(image[..., channel] > 40)
            if len(rows):
                edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
                boxes.append(np.array(edges) / [height, width, height, width])
                numbers.append(number)
                scores.append(image[..., channel].max() / 255)
        order = np.argsort(-np.array(scores, np.float32), kind="stable")
        found = DetectedObjects(
            np.array(boxes, np.float32).reshape(-1, 4), np.array(numbers, np.int64), np.array(scores, np.float32)
        )
        return found.select(order)


def image_of(cat=0, dog=0, cat_left=10):
    """Draw a cat of 20 × 20 and a dog of 40 × 50 pixels on an image of 100 × 100; brightness 0 omits the object."""
    image = np.zeros((100, 100, 3), np.uint8)
    image[10:30, cat_left : cat_left + 20, 0] = cat
    image[50:90, 40:90, 1] = dog
    return image


def segmenter_of(**changes):
    chosen = {
        "detector": ColourDetector(),
        "class_names": CLASS_NAMES,
        "thresholds": dict.fromkeys(CLASS_NAMES, 0.5),
        "every_nth_frame": 1,
        "masks": "boxes",
    }
    return ObjectSegmenter(**{**chosen, **changes})


FINE = [
    *(cv2.IMWRITE_JPEG_QUALITY, 100),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
"""JPEG options without chroma subsampling, so that colours do not bleed into neighbouring pixels."""


@pytest.fixture
def folder_of(tmp_path):
    """Return a function that saves images as the frame folder of a video."""

    def save(*images, name="video"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for number, image in enumerate(images, start=1):
            cv2.imwrite(str(folder / f"{number}.jpg"), image[..., ::-1], FINE)
        return FrameFolder(folder)

    return save


@pytest.fixture
def segmenter():
    return segmenter_of()
