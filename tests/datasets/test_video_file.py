import os
import sys

import pytest
from kedro.io import DatasetError

from video_recommender.datasets import VideoFileDataset
from video_recommender.media.video import VideoBytes, VideoLink

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows grants symbolic links to few users")


@pytest.fixture
def own_video(tmp_path):
    video = tmp_path / "own" / "Grandma's cat.webm"
    video.parent.mkdir()
    video.write_bytes(b"irreplaceable")
    return video


@pytest.fixture
def link(tmp_path):
    return tmp_path / "videos" / "pets" / "cat.mp4"


def test_a_linked_video_is_loaded_from_its_original_path(own_video, link):
    dataset = VideoFileDataset(filepath=str(link))

    dataset.save(VideoLink(own_video))

    assert link.is_symlink()
    assert dataset.exists()
    assert dataset.load().path == own_video.resolve()


def test_a_copied_video_remains_if_the_original_is_deleted(own_video, link):
    dataset = VideoFileDataset(filepath=str(link))

    dataset.save(VideoLink(own_video, copy=True))
    own_video.unlink()

    assert dataset.load().path.read_bytes() == b"irreplaceable"


@pytest.mark.parametrize("replacement", ["bytes", "link", "copy"])
def test_replacing_a_link_never_changes_the_linked_video(own_video, link, tmp_path, replacement):
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another")
    dataset = VideoFileDataset(filepath=str(link))
    dataset.save(VideoLink(own_video))

    dataset.save(
        {"bytes": VideoBytes(b"another"), "link": VideoLink(other), "copy": VideoLink(other, copy=True)}[replacement]
    )

    assert own_video.read_bytes() == b"irreplaceable"
    assert dataset.load().path.read_bytes() == b"another"


def test_same_link_can_be_saved_again(own_video, link):
    dataset = VideoFileDataset(filepath=str(link))

    dataset.save(VideoLink(own_video))
    dataset.save(VideoLink(own_video))

    assert dataset.load().path == own_video.resolve()


@pytest.mark.parametrize("copy", [True, False])
def test_video_is_never_replaced_by_a_link_to_itself(own_video, copy):
    dataset = VideoFileDataset(filepath=str(own_video))

    with pytest.raises(DatasetError, match="move it to another folder"):
        dataset.save(VideoLink(own_video, copy=copy))

    assert own_video.read_bytes() == b"irreplaceable"


def test_a_link_to_a_missing_video_is_rejected(tmp_path, link):
    with pytest.raises(DatasetError, match=r"gone\.mp4 is missing"):
        VideoFileDataset(filepath=str(link)).save(VideoLink(tmp_path / "gone.mp4"))

    assert not os.path.lexists(link)
