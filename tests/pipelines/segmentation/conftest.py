"""Segmenters, and frames on disk."""

import cv2
import pytest
from coloured_pictures import segmenter_of

from video_recommender.media.frames import FrameFolder
from video_recommender.networks.coco_network import compile_coco_detector

FINE = [
    *(cv2.IMWRITE_JPEG_QUALITY, 100),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
"""So that a colour does not run into the next pixel."""


@pytest.fixture
def folder_of(tmp_path):
    """Saves pictures as a video's folder of frames."""

    def save(*pictures, name="video"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures, start=1):
            cv2.imwrite(str(folder / f"{number}.jpg"), picture[..., ::-1], FINE)
        return FrameFolder(folder)

    return save


@pytest.fixture
def segmenter():
    return segmenter_of()


@pytest.fixture(scope="session")
def coco_detector():
    """The network that comes with the packages, compiled once."""
    return compile_coco_detector()
