"""Training images from the videos themselves: distinct frames, with the video's category as a weak label."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.schemas import Corpus

NEAR_IDENTICAL = 10
"""Frames of one video whose hashes differ in no more bits of 64 show the same: one of them is enough."""

MOST_IMBALANCED = 3
"""No class gets more than so many times the images of the smallest; class weights even out the rest."""


def choose_distinct_frames(frames: NDArray[np.int64], hashes: NDArray[np.uint64], most: int) -> list[int]:
    """Choose frames of one video that look as little alike as possible.

    The first is the one in the middle; each further one is the one farthest from all that were chosen (Gonzalez 1985,
    "Clustering to minimize the maximum intercluster distance"), until only near-identical ones are left.

    Args:
        frames: int64, shape (n,): their numbers.
        hashes: uint64, shape (n,): their perceptual hashes.
        most: how many to choose at most.

    Returns:
        Their numbers, in the order in which they were chosen; the first few are distinct too.
    """
    if not len(frames):
        return []
    chosen = [len(frames) // 2]
    distances = np.bitwise_count(hashes ^ hashes[chosen[0]])
    while len(chosen) < most and distances.max() > NEAR_IDENTICAL:
        chosen.append(int(distances.argmax()))
        distances = np.minimum(distances, np.bitwise_count(hashes ^ hashes[chosen[-1]]))
    return [int(frames[position]) for position in chosen]


def balance_classes(chosen: Mapping[str, Sequence[int]], class_names: pd.Series) -> dict[str, list[int]]:
    """Leave out frames of classes that have many, so that the smallest is not drowned.

    Every video of a class keeps its first frame before any keeps its second, and so on.

    Args:
        chosen: the frames of each video, those to keep first at the beginning.
        class_names: the class of each video (index `video_id`).

    Returns:
        The frames that are kept, in order of time; videos that keep none are left out.
    """
    turns = pd.DataFrame(
        [(video_id, turn, frame) for video_id, frames in chosen.items() for turn, frame in enumerate(frames)],
        columns=["video_id", "turn", "frame"],
    )
    turns["class_name"] = turns["video_id"].map(class_names)
    most = MOST_IMBALANCED * turns["class_name"].value_counts().min() if len(turns) else 0
    kept = turns.sort_values(["turn", "video_id"]).groupby("class_name").head(int(most))
    return {str(video_id): sorted(frames["frame"].tolist()) for video_id, frames in kept.groupby("video_id")}


def labelled_corpus(corpus: DataFrame[Corpus]) -> pd.DataFrame:
    """Find the videos that count and have a category.

    Returns:
        `class_name` and `group`, index `video_id`.
    """
    labelled = corpus[corpus["is_used"] & corpus["category"].notna()].set_index("video_id")
    return labelled[["category", "group"]].rename(columns={"category": "class_name"})
