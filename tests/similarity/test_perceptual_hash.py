import numpy as np
import pytest

from video_recommender.similarity import perceptual_hash
from video_recommender.similarity.perceptual_hash import (
    HASH_BITS,
    ZOOMS,
    Hashes,
    HashIndex,
    chunks_for,
    hash_pictures,
)


def bits_between(one, other):
    return np.bitwise_count(one ^ other)


def test_a_copy_has_nearly_the_same_hashes(filming, make_copy):
    film = filming.film("cat")
    original, copy = filming.hashed(film), filming.hashed(make_copy(film))

    nearest = bits_between(copy.hashes[:, :1, None], original.hashes[None]).min(axis=(1, 2)) if len(copy) else None

    assert len(copy) in {10, 18}
    assert np.median(nearest) <= 6


def test_other_pictures_have_other_hashes(filming):
    cat, cup = filming.hashed(filming.film("cat")), filming.hashed(filming.film("cup"))

    assert bits_between(cat.hashes[:, :1], cup.hashes[:, :1]).min() > 12


def test_a_picture_without_its_edges_has_the_hash_of_that_zoom(filming):
    (frame,) = filming.film("woman", frames=1)
    margin = round(224 * 0.1)

    _, (whole,) = hash_pictures([frame])
    _, (inner,) = hash_pictures([frame[margin:-margin, margin:-margin]])

    distances = bits_between(whole, inner[0])
    assert ZOOMS[int(distances.argmin())] == 0.8
    assert distances.min() <= 4 < distances[0]


def test_frames_without_contrast_are_not_hashed(filming):
    film = filming.film("cat", frames=3)
    film[1] = 7

    numbers, hashes = hash_pictures(film)

    assert numbers.tolist() == [1, 3]
    assert len(hashes) == 2


def test_a_film_of_black_frames_has_no_hashes(filming):
    hashed = filming.hashed(np.zeros((3, 64, 64, 3), np.uint8))

    assert len(hashed) == 0
    assert hashed.hashes.shape == (0, len(ZOOMS))


def test_the_same_frames_give_the_same_hashes(filming):
    film = filming.film("cup", frames=4)

    assert (filming.hashed(film).hashes == filming.hashed(film.copy()).hashes).all()


def drawn(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def with_wrong_bits(hashes: Hashes, wrong: int) -> Hashes:
    random = np.random.default_rng(wrong)
    changed = hashes.copy()
    for row in range(len(hashes)):
        for bit in random.choice(HASH_BITS, wrong, replace=False).tolist():
            changed[row] ^= np.uint64(1 << bit)
    return changed


def share_found(hashes: Hashes, wrong: int, max_distance: int = 10) -> float:
    rows = np.arange(len(hashes))
    others = rows + len(rows)
    asked, found = HashIndex(hashes, rows).search(with_wrong_bits(hashes, wrong), others, max_distance, at_most=64)
    return len(set(asked[asked == found].tolist())) / len(rows)


@pytest.mark.parametrize("wrong", [0, 3, 6])
def test_of_few_hashes_all_that_differ_in_few_bits_are_found(wrong: int) -> None:
    assert share_found(drawn(500), wrong) == 1


def test_of_many_hashes_all_that_differ_in_four_bits_are_found_and_most_with_six(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(perceptual_hash, "chunks_for", lambda count: 6)

    assert share_found(drawn(500), wrong=4) == 1
    assert share_found(drawn(500), wrong=6) > 0.65


def test_what_differs_in_more_bits_than_allowed_is_not_found() -> None:
    assert share_found(drawn(500), wrong=5, max_distance=4) == 0


def test_each_pair_is_returned_once_nearest_first_up_to_the_limit() -> None:
    (query,) = drawn(1)
    known = np.concatenate([with_wrong_bits(np.array([query]), wrong) for wrong in (4, 0, 2, 1)])

    index = HashIndex(known, np.arange(4))

    assert index.search(np.array([query]), np.array([9]), 10, at_most=64).found.tolist() == [1, 3, 2, 0]
    assert index.search(np.array([query]), np.array([9]), 10, at_most=2).found.tolist() == [1, 3]


def test_hashes_of_the_same_video_are_not_found_for_each_other() -> None:
    known = np.repeat(drawn(1), 3)

    asked, found = HashIndex(known, np.array([0, 0, 1])).search(known, np.array([0, 0, 1]), 10, at_most=64)

    assert list(zip(asked.tolist(), found.tolist(), strict=True)) == [(0, 2), (1, 2), (2, 0), (2, 1)]


def test_only_the_first_hashes_of_a_large_bucket_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual_hash, "MAX_BUCKET_SIZE", 20)
    index = HashIndex(np.repeat(drawn(1), 30), np.arange(30))

    assert index.search(drawn(1), np.array([99]), 10, at_most=64).found.tolist() == list(range(20))


@pytest.mark.parametrize("count", [1, 1000, 100_000, 10_000_000])
def test_there_are_more_keys_than_hashes(count: int) -> None:
    assert 2 ** (2 * HASH_BITS / chunks_for(count)) >= count
