"""Originals of near duplicates, and the groups of both."""

import pandas as pd

from video_recommender.similarity.duplicates import (
    Duplicate,
    DuplicatePair,
    assign_originals,
    merge_groups,
    rank_videos,
)


def test_the_video_with_the_lower_rank_is_the_original():
    assert assign_originals([DuplicatePair(0, 1, 0.9, 2.0, 2.0)], ranks=[0, 1]) == {1: Duplicate(0, 0.9, 2.0)}
    assert assign_originals([DuplicatePair(0, 1, 0.9, 2.0, 2.0)], ranks=[1, 0]) == {0: Duplicate(1, 0.9, -2.0)}


def test_an_original_is_never_a_duplicate():
    chain = [DuplicatePair(0, 1, 0.9, 2.0, 0.0), DuplicatePair(1, 2, 0.9, 2.0, 0.0), DuplicatePair(2, 3, 0.9, 2.0, 0.0)]

    duplicates = assign_originals(chain, ranks=[0, 1, 2, 3])

    assert {video: duplicate.original for video, duplicate in duplicates.items()} == {1: 0, 3: 2}


def test_the_more_similar_of_two_originals_is_assigned():
    both = [DuplicatePair(0, 2, 0.8, 2.0, 0.0), DuplicatePair(1, 2, 0.9, 2.0, 0.0)]

    assert assign_originals(both, ranks=[0, 1, 2])[2].original == 1


def test_videos_are_ranked_by_duration_then_frame_size_then_id():
    described = pd.DataFrame(
        [
            ("b", 6.0, 320, 240),
            ("a", 6.1, 320, 240),
            ("c", 6.0, 640, 480),
            ("d", 9.0, 160, 120),
            ("e", None, None, None),
        ],
        columns=["video_id", "duration_s", "width", "height"],
    )

    assert rank_videos(described) == [3, 2, 1, 0, 4]


def test_groups_that_contain_duplicates_of_each_other_are_merged():
    groups = pd.Series({"a": "ana", "b": "bea", "c": "cleo", "d": "bea", "e": "cleo", "f": "eve"}, name="group")
    repeats = pd.Series({"a": None, "b": "a", "c": None, "d": None, "e": "d", "f": None}, dtype="str")

    assert merge_groups(groups, repeats).tolist() == ["ana", "ana", "ana", "ana", "ana", "eve"]


def test_groups_without_duplicates_do_not_change():
    groups = pd.Series({"a": "zoe", "b": "bea"}, name="group")

    pd.testing.assert_series_equal(merge_groups(groups, pd.Series({"a": None, "b": None}, dtype="str")), groups)
