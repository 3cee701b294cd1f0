"""Fixtures of a small corpus with results, for tests of reporting."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from video_recommender.media.frames import FrameFolder
from video_recommender.schemas import CategoryPredictions, Corpus, Recommendations
from video_recommender.storage.partitions import Partitions

VIDEOS = ["cats/a", "cats/b", "cats/c", "dogs/a", "dogs/b", "dogs/c"]


@pytest.fixture
def corpus() -> pd.DataFrame:
    return Corpus.validate(
        pd.DataFrame(
            {
                "video_id": VIDEOS,
                "category": [video.split("/")[0] for video in VIDEOS],
                "group": ["cats/1", "cats/1", "cats/2", "dogs/1", "dogs/2", "dogs/3"],
                "title": "",
                "repeats": pd.Series([None] * 6, dtype="str"),
                "is_used": True,
            }
        )
    )


@pytest.fixture
def category_predictions(corpus: pd.DataFrame) -> pd.DataFrame:
    return CategoryPredictions.validate(
        corpus[["video_id", "category"]].assign(
            predicted_category=["cats", "cats", "dogs", "dogs", "cats", "dogs"],
            probability=[0.9, 0.8, 0.7, 0.6, 0.95, 1.0],
            fold=pd.array([1, 1, 2, 1, 2, None], dtype="Int64"),
        )
    )


@pytest.fixture
def recommendations() -> pd.DataFrame:
    rows = [
        ("cats/a", 1, "cats/b", 0.9, "tabby"),
        ("cats/a", 2, "cats/c", 0.8, ""),
        ("cats/b", 1, "cats/a", 0.9, "tabby"),
        ("cats/b", 2, "dogs/a", 0.2, ""),
        ("dogs/a", 1, "dogs/b", 0.7, "beagle"),
        ("dogs/a", 2, "dogs/c", 0.7, "beagle"),
        ("dogs/b", 1, "cats/a", 0.6, "ball"),
        ("dogs/b", 2, "cats/b", 0.5, "<b>ball</b>"),
    ]
    columns = ["video_id", "rank", "recommended_video_id", "similarity", "shared_objects"]
    return Recommendations.validate(pd.DataFrame(rows, columns=columns))


@pytest.fixture
def frames(tmp_path: Path, corpus: pd.DataFrame) -> Partitions[FrameFolder]:
    folders = {}
    for number, video_id in enumerate(corpus["video_id"]):
        folder = tmp_path / video_id
        folder.mkdir(parents=True)
        for frame in range(1, 4):
            cv2.imwrite(str(folder / f"{frame}.jpg"), np.full((90, 160, 3), 40 * number + frame, np.uint8))
        folders[video_id] = FrameFolder(folder)
    return Partitions.from_values(folders)
