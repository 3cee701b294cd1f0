import numpy as np
import pandas as pd

from video_recommender.networks.weak_labels import (
    balance_classes,
    choose_distinct_frames,
    labelled_corpus,
)

FRAMES = np.arange(1, 6, dtype=np.int64)


def hashes(*bits: int) -> np.ndarray:
    """Hashes in which so many bits are set, from the lowest on: two differ in the difference of their bits."""
    return np.array([2**count - 1 for count in bits], dtype=np.uint64)


def test_frames_that_look_alike_are_taken_once() -> None:
    assert choose_distinct_frames(FRAMES, hashes(0, 1, 2, 40, 41), most=5) == [3, 5]


def test_the_frames_that_are_taken_are_as_unlike_as_can_be() -> None:
    assert choose_distinct_frames(FRAMES, hashes(0, 15, 30, 45, 63), most=3) == [3, 5, 1]


def test_a_video_of_blank_frames_gives_none() -> None:
    assert choose_distinct_frames(FRAMES[:0], hashes(), most=3) == []


def test_a_class_of_many_videos_does_not_drown_a_small_one() -> None:
    chosen = {f"many/{number}": [2, 1, 3] for number in range(9)} | {"few/1": [4, 5]}
    classes = pd.Series({video_id: video_id.split("/")[0] for video_id in chosen})

    kept = balance_classes(chosen, classes)

    assert kept.pop("few/1") == [4, 5]
    assert list(kept.values()) == [[2]] * 6


def test_only_videos_that_count_and_have_a_category_are_learnt_from() -> None:
    corpus = pd.DataFrame(
        {
            "video_id": ["pets/cat", "pets/copy", "unlabelled/1"],
            "category": ["pets", "pets", None],
            "group": ["cat", "cat", "1"],
            "title": "",
            "repeats": [None, "pets/cat", None],
            "is_used": [True, False, True],
        }
    )

    assert labelled_corpus(corpus).index.tolist() == ["pets/cat"]
