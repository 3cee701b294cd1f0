"""Fixtures: a segmenter and folders of frames."""

import pytest
from coloured_images import folder_of, segmenter  # noqa: F401 - fixtures

from video_recommender.networks.coco_detector import convert_coco_detector


@pytest.fixture(scope="session")
def coco_detector():
    """The default detector, converted once."""
    return convert_coco_detector()
