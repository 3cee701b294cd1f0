"""Search for near-duplicate videos."""

import numpy as np
import pytest

from video_recommender.similarity import duplicates
from video_recommender.similarity.duplicates import DeduplicationOptions, HashedFrames, find_duplicate_pairs

OPTIONS = DeduplicationOptions()


@pytest.fixture(scope="module")
def others(camera):
    """Videos of other photos, or of the same photo with another position and zoom."""
    videos = [
        camera.record(photo, start=start, zoom=zoom)
        for photo in ("cup", "rocket", "cat")
        for start, zoom in ((0.5, 0.3), (0.2, 0.8))
    ]
    return [camera.hashed(video) for video in videos]


def pairs(found):
    return [{pair.full, pair.cropped} for pair in found]


def test_a_copy_is_found_among_others(camera, others, make_copy):
    video = camera.record("cat")

    found = find_duplicate_pairs([*others, camera.hashed(video), camera.hashed(make_copy(video))], OPTIONS)

    assert pairs(found) == [{6, 7}]
    assert found[0].matched_share > 0.7
    assert found[0].mean_distance <= OPTIONS.max_mean_distance


def test_different_pans_over_the_same_photo_are_not_duplicates(camera):
    videos = [camera.record("woman", start=0.0), camera.record("woman", start=0.5), camera.record("woman", zoom=0.9)]

    assert find_duplicate_pairs([camera.hashed(video) for video in videos], OPTIONS) == []


def test_a_reversed_video_is_not_a_duplicate(camera):
    video = camera.record("cat", speed=0.05)

    assert find_duplicate_pairs([camera.hashed(video), camera.hashed(video[::-1])], OPTIONS) == []


def test_the_offset_of_an_excerpt_is_found(camera):
    video = camera.record("cat", frames=30, speed=0.03)

    (found,) = find_duplicate_pairs([camera.hashed(video), camera.hashed(video[12:24])], OPTIONS)

    offset_s = found.offset_s if found.full == 0 else -found.offset_s
    assert offset_s == pytest.approx(4.0, abs=0.5)


def test_videos_that_share_only_the_opening_are_not_duplicates(camera):
    opening, cat, cup = (camera.record(photo, frames=9) for photo in ("rocket", "cat", "cup"))
    videos = [np.concatenate([opening, rest]) for rest in (cat, cup)]

    assert find_duplicate_pairs([camera.hashed(video) for video in videos], OPTIONS) == []


def test_a_higher_mean_distance_accepts_less_similar_videos(camera):
    video = camera.record("cat", frames=20)
    partly = np.concatenate([video[:12], camera.record("cup", frames=8)])
    hashed = [camera.hashed(video), camera.hashed(partly)]

    assert find_duplicate_pairs(hashed, OPTIONS) == []
    (found,) = find_duplicate_pairs(hashed, DeduplicationOptions(max_mean_distance=20))
    assert found.matched_share == pytest.approx(0.6, abs=0.1)


def test_frames_at_irregular_times_are_aligned_by_their_times(camera):
    video = camera.record("cat", frames=18)
    some = camera.hashed(video)
    kept = [0, 1, 5, 6, 11, 12, 17]
    uneven = HashedFrames(some.times_s[kept], some.hashes[kept])

    assert pairs(find_duplicate_pairs([some, uneven], OPTIONS)) == [{0, 1}]


@pytest.mark.parametrize("make_copy", ["recoded", "resized", "trimmed"], indirect=True)
@pytest.mark.parametrize("still", [90, 300])
def test_a_copy_of_a_video_with_a_long_still_is_found(camera, others, make_copy, still):
    video = np.concatenate([np.repeat(camera.record("cat", frames=1), still, axis=0), camera.record("cat")])
    found = find_duplicate_pairs([*others, camera.hashed(video), camera.hashed(make_copy(video))], OPTIONS)

    assert pairs(found) == [{6, 7}]


def test_videos_with_fewer_than_min_frames_are_not_duplicates(camera):
    video = camera.record("cat", frames=4)

    assert find_duplicate_pairs([camera.hashed(video)] * 2, OPTIONS) == []
    assert len(find_duplicate_pairs([camera.hashed(video)] * 2, DeduplicationOptions(min_frames=4))) == 1


def test_all_pairs_of_several_copies_are_found(camera):
    video = camera.hashed(camera.record("cup"))

    found = find_duplicate_pairs([video] * 5, OPTIONS)

    assert len(found) == 10


@pytest.mark.parametrize("count", [0, 1, 3])
def test_videos_without_hashes_are_never_duplicates(camera, count):
    black = camera.hashed(np.zeros((3, 64, 64, 3), np.uint8))

    assert find_duplicate_pairs([black] * count, OPTIONS) == []
    assert find_duplicate_pairs([black] * count + [camera.hashed(camera.record("cat"))], OPTIONS) == []


def test_the_block_size_does_not_change_the_result(camera, others, monkeypatch):
    video = camera.record("cat")
    hashed = [*others, camera.hashed(video), camera.hashed(video[2:])]
    in_one_block = find_duplicate_pairs(hashed, OPTIONS)

    monkeypatch.setattr(duplicates, "QUERIES_PER_BLOCK", 4)

    assert find_duplicate_pairs(hashed, OPTIONS) == in_one_block
    assert pairs(in_one_block) == [{6, 7}]
