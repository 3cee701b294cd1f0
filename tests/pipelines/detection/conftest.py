from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from video_recommender.media.frames import Frames
from video_recommender.networks.litert_classifier import LiteRTClassifier, compile_for_cpu
from video_recommender.networks.pretrained import KerasModel, build_network

SIZE = 224


@pytest.fixture(scope="session")
def lite0() -> KerasModel:
    return build_network("efficientnet-lite0")


@pytest.fixture(scope="session")
def classifier(lite0: KerasModel) -> LiteRTClassifier:
    return compile_for_cpu(lite0, "efficientnet-lite0")


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
        # Compressed harder, the rocket on its launch pad looks like a drilling platform.
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 100])
    return tmp_path


def _centre_crop(photo: Frames) -> Frames:
    height, width, _ = photo.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = photo[top : top + side, left : left + side]
    return cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
