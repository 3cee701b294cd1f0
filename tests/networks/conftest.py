from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from coloured_images import folder_of, segmenter  # noqa: F401 - fixtures

from video_recommender.media.frames import Frames
from video_recommender.networks.coco_detector import LiteRTDetector, convert_coco_detector
from video_recommender.networks.frame_classifier import LiteRTClassifier, convert_classifier
from video_recommender.networks.pretrained import KerasModel, build_network

SIZE = 224


@pytest.fixture(scope="session")
def lite0() -> KerasModel:
    return build_network("efficientnet-lite0")


@pytest.fixture(scope="session")
def classifier(lite0: KerasModel) -> LiteRTClassifier:
    return convert_classifier(lite0, "efficientnet-lite0")


@pytest.fixture(scope="session")
def coco_detector() -> LiteRTDetector:
    """The default detector, converted once."""
    return convert_coco_detector()


@pytest.fixture(scope="session")
def tiny_network() -> KerasModel:
    """A network for 8 × 8 pixels and six classes, with the structure of the real networks."""
    import keras

    keras.utils.set_random_seed(3)
    images = keras.Input((8, 8, 3), name="rgb")
    maps = keras.layers.Rescaling(1 / 128, -1)(images)
    for number in range(2):
        maps = keras.layers.Conv2D(8, 3, padding="same", name=f"conv_{number}")(maps)
        maps = keras.layers.BatchNormalization(name=f"norm_{number}")(maps)
        maps = keras.layers.ReLU(name=f"relu_{number}")(maps)
    features = keras.layers.GlobalAveragePooling2D(name="features")(maps)
    probabilities = keras.layers.Dense(6, activation="softmax", name="probabilities")(features)
    return keras.Model(images, probabilities, name="tiny")


@pytest.fixture(scope="session")
def photos() -> Frames:
    """A cat, a cup of coffee and a rocket: uint8 RGB, shape (3, 224, 224, 3)."""
    return np.stack(
        [_centre_crop(photo()) for photo in (skimage.data.chelsea, skimage.data.coffee, skimage.data.rocket)]
    )


@pytest.fixture
def folder_of_photos(tmp_path: Path, photos: Frames) -> Path:
    for number, photo in enumerate(photos, start=1):
        bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
        # With stronger compression, the rocket is classified as a drilling platform.
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 100])
    return tmp_path


def _centre_crop(photo: Frames) -> Frames:
    height, width, _ = photo.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = photo[top : top + side, left : left + side]
    return cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
