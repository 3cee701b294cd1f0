import errno
from pathlib import Path

import pytest
from upath import UPath

from video_recommender.storage.paths import is_disk_full, parse_path, require_local_path


@pytest.mark.parametrize("url", ["/videos/cat.mp4", "file:///videos/cat.mp4"])
def test_a_local_url_becomes_a_path(url):
    assert parse_path(url) == Path("/videos/cat.mp4")


def test_a_tilde_is_the_home_folder():
    assert parse_path("~/videos") == Path.home() / "videos"


def test_a_url_of_a_store_keeps_its_protocol():
    path = parse_path("memory://videos/cat.mp4")

    assert isinstance(path, UPath)
    assert str(path).startswith("memory://")


def test_a_path_in_a_store_is_rejected_where_a_local_one_is_required():
    assert require_local_path("videos") == Path("videos")
    with pytest.raises(ValueError, match=r"memory://videos must be on a local disk: set `disk` in globals.yml"):
        require_local_path("memory://videos")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_recognised_behind_other_errors(code):
    error = RuntimeError("Failed while saving")
    error.__context__ = OSError(code, "no space")

    assert is_disk_full(error)
    assert not is_disk_full(OSError(errno.EACCES, "no permission"))
