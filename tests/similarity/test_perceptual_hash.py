"""Perceptual hashes of frames, and the search for similar hashes."""

import numpy as np
import pytest

from video_recommender.similarity import perceptual_hash
from video_recommender.similarity.perceptual_hash import (
    HASH_BITS,
    ZOOMS,
    Hashes,
    HashIndex,
    chunks_for,
    hash_images,
)


def bits_between(one, other):
    return np.bitwise_count(one ^ other)


def test_a_copy_has_similar_hashes(camera, make_copy):
    video = camera.record("cat")
    original, copy = camera.hashed(video), camera.hashed(make_copy(video))

    nearest = bits_between(copy.hashes[:, :1, None], original.hashes[None]).min(axis=(1, 2)) if len(copy) else None

    assert len(copy) in {10, 18}
    assert np.median(nearest) <= 6


def test_different_images_have_different_hashes(camera):
    cat, cup = camera.hashed(camera.record("cat")), camera.hashed(camera.record("cup"))

    assert bits_between(cat.hashes[:, :1], cup.hashes[:, :1]).min() > 12


def test_a_cropped_image_matches_the_hash_of_the_corresponding_zoom(camera):
    (frame,) = camera.record("woman", frames=1)
    margin = round(224 * 0.1)

    _, (whole,) = hash_images([frame])
    _, (inner,) = hash_images([frame[margin:-margin, margin:-margin]])

    distances = bits_between(whole, inner[0])
    assert ZOOMS[int(distances.argmin())] == 0.8
    assert distances.min() <= 4 < distances[0]


def test_frames_without_contrast_are_not_hashed(camera):
    video = camera.record("cat", frames=3)
    video[1] = 7

    numbers, hashes = hash_images(video)

    assert numbers.tolist() == [1, 3]
    assert len(hashes) == 2


def test_a_black_video_has_no_hashes(camera):
    hashed = camera.hashed(np.zeros((3, 64, 64, 3), np.uint8))

    assert len(hashed) == 0
    assert hashed.hashes.shape == (0, len(ZOOMS))


def test_the_same_frames_give_the_same_hashes(camera):
    video = camera.record("cup", frames=4)

    assert (camera.hashed(video).hashes == camera.hashed(video.copy()).hashes).all()


def random_hashes(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def with_flipped_bits(hashes: Hashes, flipped: int) -> Hashes:
    random = np.random.default_rng(flipped)
    changed = hashes.copy()
    for row in range(len(hashes)):
        for bit in random.choice(HASH_BITS, flipped, replace=False).tolist():
            changed[row] ^= np.uint64(1 << bit)
    return changed


def recall(hashes: Hashes, flipped: int, max_distance: int = 10) -> float:
    rows = np.arange(len(hashes))
    others = rows + len(rows)
    queries, found = HashIndex(hashes, rows).search(
        with_flipped_bits(hashes, flipped), others, max_distance, at_most=64
    )
    return len(set(queries[queries == found].tolist())) / len(rows)


@pytest.mark.parametrize("flipped", [0, 3, 6])
def test_a_small_index_finds_all_hashes_within_six_bits(flipped: int) -> None:
    assert recall(random_hashes(500), flipped) == 1


def test_a_large_index_finds_all_hashes_within_four_bits_and_most_within_six(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(perceptual_hash, "chunks_for", lambda count: 6)

    assert recall(random_hashes(500), flipped=4) == 1
    assert recall(random_hashes(500), flipped=6) > 0.65


def test_hashes_beyond_the_maximum_distance_are_not_found() -> None:
    assert recall(random_hashes(500), flipped=5, max_distance=4) == 0


def test_matches_of_a_query_are_unique_sorted_by_distance_and_limited() -> None:
    (query,) = random_hashes(1)
    known = np.concatenate([with_flipped_bits(np.array([query]), flipped) for flipped in (4, 0, 2, 1)])

    index = HashIndex(known, np.arange(4))

    assert index.search(np.array([query]), np.array([9]), 10, at_most=64).found.tolist() == [1, 3, 2, 0]
    assert index.search(np.array([query]), np.array([9]), 10, at_most=2).found.tolist() == [1, 3]


def test_hashes_of_the_same_video_do_not_match_each_other() -> None:
    known = np.repeat(random_hashes(1), 3)

    queries, found = HashIndex(known, np.array([0, 0, 1])).search(known, np.array([0, 0, 1]), 10, at_most=64)

    assert list(zip(queries.tolist(), found.tolist(), strict=True)) == [(0, 2), (1, 2), (2, 0), (2, 1)]


def test_only_the_first_hashes_of_a_large_bucket_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual_hash, "MAX_BUCKET_SIZE", 20)
    index = HashIndex(np.repeat(random_hashes(1), 30), np.arange(30))

    assert index.search(random_hashes(1), np.array([99]), 10, at_most=64).found.tolist() == list(range(20))


@pytest.mark.parametrize("count", [1, 1000, 100_000, 10_000_000])
def test_there_are_at_least_as_many_keys_as_hashes(count: int) -> None:
    assert 2 ** (2 * HASH_BITS / chunks_for(count)) >= count
