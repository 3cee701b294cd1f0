"""Search for near-duplicate videos."""

import numpy as np
import pytest

from video_recommender.similarity import duplicates
from video_recommender.similarity.duplicates import DeduplicationOptions, HashedFrames, find_duplicate_pairs

OPTIONS = DeduplicationOptions()


@pytest.fixture(scope="module")
def others(filming):
    """Videos of other photos, or of the same photo with another position and zoom."""
    films = [
        filming.film(photo, start=start, zoom=zoom)
        for photo in ("cup", "rocket", "cat")
        for start, zoom in ((0.5, 0.3), (0.2, 0.8))
    ]
    return [filming.hashed(film) for film in films]


def pairs(found):
    return [{pair.full, pair.cropped} for pair in found]


def test_a_copy_is_found_among_others(filming, others, make_copy):
    film = filming.film("cat")

    found = find_duplicate_pairs([*others, filming.hashed(film), filming.hashed(make_copy(film))], OPTIONS)

    assert pairs(found) == [{6, 7}]
    assert found[0].matched_share > 0.7
    assert found[0].mean_distance <= OPTIONS.max_mean_distance


def test_different_pans_over_the_same_photo_are_not_duplicates(filming):
    films = [filming.film("woman", start=0.0), filming.film("woman", start=0.5), filming.film("woman", zoom=0.9)]

    assert find_duplicate_pairs([filming.hashed(film) for film in films], OPTIONS) == []


def test_a_reversed_video_is_not_a_duplicate(filming):
    film = filming.film("cat", speed=0.05)

    assert find_duplicate_pairs([filming.hashed(film), filming.hashed(film[::-1])], OPTIONS) == []


def test_the_offset_of_an_excerpt_is_found(filming):
    film = filming.film("cat", frames=30, speed=0.03)

    (found,) = find_duplicate_pairs([filming.hashed(film), filming.hashed(film[12:24])], OPTIONS)

    offset_s = found.offset_s if found.full == 0 else -found.offset_s
    assert offset_s == pytest.approx(4.0, abs=0.5)


def test_videos_that_share_only_the_opening_are_not_duplicates(filming):
    opening, cat, cup = (filming.film(photo, frames=9) for photo in ("rocket", "cat", "cup"))
    films = [np.concatenate([opening, rest]) for rest in (cat, cup)]

    assert find_duplicate_pairs([filming.hashed(film) for film in films], OPTIONS) == []


def test_a_higher_mean_distance_accepts_less_similar_videos(filming):
    film = filming.film("cat", frames=20)
    partly = np.concatenate([film[:12], filming.film("cup", frames=8)])
    hashed = [filming.hashed(film), filming.hashed(partly)]

    assert find_duplicate_pairs(hashed, OPTIONS) == []
    (found,) = find_duplicate_pairs(hashed, DeduplicationOptions(max_mean_distance=20))
    assert found.matched_share == pytest.approx(0.6, abs=0.1)


def test_frames_at_irregular_times_are_aligned_by_their_times(filming):
    film = filming.film("cat", frames=18)
    some = filming.hashed(film)
    kept = [0, 1, 5, 6, 11, 12, 17]
    uneven = HashedFrames(some.times_s[kept], some.hashes[kept])

    assert pairs(find_duplicate_pairs([some, uneven], OPTIONS)) == [{0, 1}]


@pytest.mark.parametrize("make_copy", ["recoded", "resized", "trimmed"], indirect=True)
@pytest.mark.parametrize("still", [90, 300])
def test_a_copy_of_a_video_with_a_long_still_is_found(filming, others, make_copy, still):
    film = np.concatenate([np.repeat(filming.film("cat", frames=1), still, axis=0), filming.film("cat")])
    found = find_duplicate_pairs([*others, filming.hashed(film), filming.hashed(make_copy(film))], OPTIONS)

    assert pairs(found) == [{6, 7}]


def test_videos_with_fewer_than_min_frames_are_not_duplicates(filming):
    film = filming.film("cat", frames=4)

    assert find_duplicate_pairs([filming.hashed(film)] * 2, OPTIONS) == []
    assert len(find_duplicate_pairs([filming.hashed(film)] * 2, DeduplicationOptions(min_frames=4))) == 1


def test_all_pairs_of_several_copies_are_found(filming):
    film = filming.hashed(filming.film("cup"))

    found = find_duplicate_pairs([film] * 5, OPTIONS)

    assert len(found) == 10


@pytest.mark.parametrize("count", [0, 1, 3])
def test_videos_without_hashes_are_never_duplicates(filming, count):
    black = filming.hashed(np.zeros((3, 64, 64, 3), np.uint8))

    assert find_duplicate_pairs([black] * count, OPTIONS) == []
    assert find_duplicate_pairs([black] * count + [filming.hashed(filming.film("cat"))], OPTIONS) == []


def test_the_block_size_does_not_change_the_result(filming, others, monkeypatch):
    film = filming.film("cat")
    hashed = [*others, filming.hashed(film), filming.hashed(film[2:])]
    in_one_block = find_duplicate_pairs(hashed, OPTIONS)

    monkeypatch.setattr(duplicates, "QUERIES_PER_BLOCK", 4)

    assert find_duplicate_pairs(hashed, OPTIONS) == in_one_block
    assert pairs(in_one_block) == [{6, 7}]
