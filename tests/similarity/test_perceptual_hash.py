import numpy as np
import pytest

from video_recommender.similarity.perceptual_hash import ZOOMS, hash_pictures


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

    hashed = filming.hashed(film)

    assert hashed.frames.tolist() == [1, 3]
    assert hashed.times_s == pytest.approx([0, 2 / 3])


def test_a_film_of_black_frames_has_no_hashes(filming):
    hashed = filming.hashed(np.zeros((3, 64, 64, 3), np.uint8))

    assert len(hashed) == 0
    assert hashed.hashes.shape == (0, len(ZOOMS))


def test_the_same_frames_give_the_same_hashes(filming):
    film = filming.film("cup", frames=4)

    assert (filming.hashed(film).hashes == filming.hashed(film.copy()).hashes).all()
