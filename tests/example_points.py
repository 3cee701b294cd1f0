"""Small corpora and class embeddings for tests that need no videos."""

import numpy as np
import pandas as pd

AXES = 16

Corpus = tuple[pd.DataFrame, pd.DataFrame]


def corpus_of(groups: dict[str, list[int]], noise: float = 0.5, unlabelled: int = 0) -> Corpus:
    """Return points and corpus for the number of videos in each group of each category."""
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


def three_categories() -> Corpus:
    """Return three categories of 20 videos in five groups of four, and two videos without a category."""
    return corpus_of({"food": [4] * 5, "pets": [4] * 5, "rooms": [4] * 5}, unlabelled=2)


def small_class_embeddings() -> pd.DataFrame:
    """Return class embeddings with three pairs of similar classes: dogs, seats and fruit."""
    kinds_of_classes = {"beagle": 0, "labrador": 0, "sofa": 1, "armchair": 1, "banana": 2, "lemon": 2}
    random = np.random.default_rng(7)
    kinds = random.normal(size=(3, 32))
    rows = np.array([kinds[kind] for kind in kinds_of_classes.values()]) + 0.4 * random.normal(size=(6, 32)) + 5
    return pd.DataFrame(
        rows.astype(np.float32),
        index=pd.Index(list(kinds_of_classes), name="class_name"),
        columns=[f"feature_{number:04}" for number in range(32)],
    )
