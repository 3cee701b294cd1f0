"""A data set whose categories the 1,000-class network was not trained to distinguish."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage

from video_recommender.media.frames import FrameFolder, RgbImage
from video_recommender.pipelines.deduplication.nodes import hash_frames
from video_recommender.storage.partitions import Partitions

PHOTOS = Path(skimage.__file__).parent / "data"
SUBJECTS = [
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "brick.png",
    "gravel.png",
]
SIZE = 224


def draw_edges(photo: RgbImage) -> RgbImage:
    """Convert to black edges on white."""
    edges = cv2.Canny(cv2.GaussianBlur(photo, (5, 5), 0), 60, 120)
    return np.repeat(255 - edges[..., np.newaxis], 3, axis=2)


def darken(photo: RgbImage) -> RgbImage:
    """Darken, and add noise."""
    noise = np.random.default_rng(5).normal(scale=12, size=photo.shape)
    return (photo * (0.3, 0.35, 0.6) + noise).clip(0, 255).astype(np.uint8)


STYLES = {"days": lambda photo: photo, "drawings": draw_edges, "nights": darken}


@pytest.fixture(scope="session")
def styles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Partitions, Partitions, pd.DataFrame]:
    """Frames, hashes and corpus of videos of the same photos: unchanged, as drawings and at night.

    All videos of a photo form one group, so a held-out video shows a subject that the head was not trained on.
    """
    root = tmp_path_factory.mktemp("frames")
    frames, hashes, rows = {}, {}, []
    for subject in SUBJECTS:
        photo = cv2.cvtColor(cv2.imread(str(PHOTOS / subject)), cv2.COLOR_BGR2RGB)
        for style, change in STYLES.items():
            for number in range(2):
                video_id = f"{style}/{subject.split('.')[0]}-{number}".replace("_", "-")
                images = [change(_part(photo, number, frame)) for frame in range(2)]
                folder = root / video_id
                folder.mkdir(parents=True)
                for frame, image in enumerate(images, start=1):
                    cv2.imwrite(str(folder / f"{frame}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
                frames[video_id] = FrameFolder(folder)
                hashes[video_id] = hash_frames(frames[video_id])
                rows.append({"video_id": video_id, "category": style, "group": subject})
    corpus = pd.DataFrame(rows).assign(title="", repeats=None, is_used=True).sort_values("video_id", ignore_index=True)
    return Partitions.from_values(frames), Partitions.from_values(hashes), corpus


def _part(photo: RgbImage, number: int, frame: int) -> RgbImage:
    height, width, _ = photo.shape
    side = int(min(height, width) * (0.9 - 0.25 * number))
    left, top = (width - side) * (1 + frame) // 3, (height - side) * (2 - frame) // 3
    return cv2.resize(photo[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
