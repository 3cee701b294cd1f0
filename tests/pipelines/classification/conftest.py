"""Small corpora: points near their category's direction, a few videos to a group."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

AXES = 16

Corpus = tuple[pd.DataFrame, pd.DataFrame]


def corpus_of(groups: dict[str, list[int]], noise: float = 0.5, unlabelled: int = 0) -> Corpus:
    """Points and what is known of them: for each category, so many videos in each of its groups."""
    random = np.random.default_rng(3)
    ids, categories, names, points = [], [], [], []

    def add(video_id: str, category: str | None, group: str, centre: np.ndarray) -> None:
        ids.append(video_id)
        categories.append(category)
        names.append(group)
        point = centre + noise * random.normal(size=AXES)
        points.append(point / np.linalg.norm(point))

    for number, (category, sizes) in enumerate(groups.items()):
        for group, size in enumerate(sizes):
            for video in range(size):
                add(f"{category}/{group}-{video}", category, f"{category}{group}", 2 * np.eye(AXES)[number])
    for video in range(unlabelled):
        add(f"_/{video}", None, f"loose{video}", 2 * np.eye(AXES)[0])
    index = pd.Index(ids, name="video_id", dtype=str)
    table = pd.DataFrame(
        np.array(points, np.float32).reshape(len(ids), AXES), index, [f"axis_{axis:04}" for axis in range(1, AXES + 1)]
    )
    manifest = pd.DataFrame(
        {
            "video_id": ids,
            "category": pd.array(categories, dtype="str"),
            "group": names,
            "title": "",
            "repeats": pd.array([None] * len(ids), dtype="str"),
            "is_used": True,
        }
    )
    return table, manifest


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Corpus]:
    return corpus_of


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Three categories of 20 videos in five groups of four, and two videos without a category."""
    return corpus_of({"food": [4] * 5, "pets": [4] * 5, "rooms": [4] * 5}, unlabelled=2)
