"""A small file is written over in its place."""

import pytest

from video_recommender.datasets.overwrite import overwrite


@pytest.mark.parametrize("earlier", [b"", b"short", b"far longer than what comes after it"])
def test_nothing_of_what_was_there_is_left(tmp_path, earlier):
    place = tmp_path / "record.json"
    place.write_bytes(earlier)
    number = place.stat().st_ino

    overwrite(place, b"the new content")

    assert place.read_bytes() == b"the new content"
    assert place.stat().st_ino == number
    assert list(tmp_path.iterdir()) == [place]


def test_a_file_that_was_not_there_is_made(tmp_path):
    overwrite(tmp_path / "record.json", b"content")

    assert (tmp_path / "record.json").read_bytes() == b"content"
