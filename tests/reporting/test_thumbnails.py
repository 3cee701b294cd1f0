"""Thumbnails of videos."""

import base64

import cv2
import numpy as np
import pytest

from video_recommender.media.frames import FrameFolder
from video_recommender.media.video import VideoError
from video_recommender.reporting.thumbnails import EMBEDDED_SIDE, middle_image, thumbnail_uri
from video_recommender.storage.partitions import Partitions


def test_a_thumbnail_is_the_middle_frame_scaled_down(frames: Partitions[FrameFolder]) -> None:
    uri = thumbnail_uri(frames.load("dogs/c"))
    image = cv2.imdecode(np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)

    assert image.shape == (EMBEDDED_SIDE * 90 // 160, EMBEDDED_SIDE, 3)
    assert abs(int(image.mean()) - 202) <= 1


def test_the_error_names_a_folder_without_frames(tmp_path) -> None:
    with pytest.raises(VideoError, match=str(tmp_path)):
        middle_image(FrameFolder(tmp_path))
