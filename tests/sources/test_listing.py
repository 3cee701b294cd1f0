import io
import os
import pickle
from importlib.resources import files
from pathlib import Path
from shutil import copy

import av
import pytest

from video_recommender.media.video import VideoBytes, VideoError, VideoFile, VideoLink
from video_recommender.sources.listing import FolderOptions, IngestionOptions, PhotosOptions, list_source_videos
from video_recommender.sources.metadata import VideoMetadata
from video_recommender.sources.photos import ClipOptions, list_photo_folder, plan_clips
from video_recommender.sources.web_options import WebCategory, WebOptions
from video_recommender.storage.partitions import Partitions, PartitionState

BUNDLED = Path(str(files("skimage") / "data"))
SHORT_CLIPS = ClipOptions(clips_per_category=2, seconds=(0.5, 0.5))

PAGE = "https://videos.example/1"
NO_DOWNLOADS = Partitions()


class LibraryOfPhotos:
    """A photo library that counts how often it is fetched."""

    def __init__(self, folder):
        self.folder = folder
        self.fetched = 0

    def fetch(self):
        self.fetched += 1
        return list_photo_folder(self.folder)


@pytest.fixture
def photo_library(tmp_path):
    for name in ("coffee.png", "rocket.jpg", "chelsea.png"):
        (tmp_path / "photos/Nice things").mkdir(parents=True, exist_ok=True)
        copy(BUNDLED / name, tmp_path / "photos/Nice things" / name)
    return LibraryOfPhotos(tmp_path / "photos")


@pytest.fixture
def video_folder(tmp_path):
    for place in ("videos/pets/cat.mp4", "videos/loose.webm"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    return tmp_path / "videos"


def test_the_demo_lists_clips_of_its_photos(photo_library):
    offered = list_source_videos(IngestionOptions(clips=SHORT_CLIPS), photo_library, NO_DOWNLOADS, seed=1)

    assert photo_library.fetched == 1
    assert [video.video_id for video in offered] == ["nice-things/clip-001", "nice-things/clip-002"]
    assert {(video.category, video.source) for video in offered} == {("Nice things", "demo")}
    assert all(video.group.startswith("Nice things/pool-") for video in offered)
    assert all(set(video.photos.split(",")) <= {"coffee.png", "rocket.jpg", "chelsea.png"} for video in offered)


def test_own_photos_are_listed_as_clips_without_downloading_the_demo(photo_library):
    options = IngestionOptions(source="photos", photos=PhotosOptions(path=photo_library.folder), clips=SHORT_CLIPS)

    offered = list_source_videos(options, photo_library, NO_DOWNLOADS, seed=1)

    assert photo_library.fetched == 0
    assert {(video.category, video.source) for video in offered} == {("Nice things", "photos")}


def test_a_folder_lists_its_files_without_downloading_the_demo(photo_library, video_folder):
    options = IngestionOptions(source="folder", folder=FolderOptions(path=video_folder))

    loose, cat = sorted(
        list_source_videos(options, photo_library, NO_DOWNLOADS, seed=1), key=lambda video: video.category or ""
    )

    assert photo_library.fetched == 0
    assert (cat.video_id, cat.category, cat.metadata.title) == ("pets/cat", "pets", "cat")
    assert (cat.source, cat.group, cat.photos) == (str(video_folder / "pets/cat.mp4"), "pets/cat", "")
    assert (loose.video_id, loose.category) == ("unlabelled/loose", None)


@pytest.mark.parametrize("copy_files", [False, True])
def test_a_file_of_a_folder_is_linked_or_copied_as_the_options_say(photo_library, video_folder, copy_files):
    options = IngestionOptions(source="folder", folder=FolderOptions(path=video_folder, copy_files=copy_files))

    fetched = {
        video.video_id: video.fetch() for video in list_source_videos(options, photo_library, NO_DOWNLOADS, seed=1)
    }

    assert fetched["pets/cat"] == VideoLink(video_folder / "pets/cat.mp4", copy_files)


@pytest.mark.parametrize("source", ["folder", "photos"])
def test_a_source_without_a_path_raises_an_error_with_the_remedy(photo_library, source):
    with pytest.raises(ValueError, match=rf"--params=ingestion\.source={source},ingestion\.{source}\.path="):
        list_source_videos(IngestionOptions(source=source), photo_library, NO_DOWNLOADS, seed=1)


def test_a_pickled_clip_is_fetched_as_a_decodable_file(photo_library):
    clip = list_source_videos(IngestionOptions(clips=SHORT_CLIPS), photo_library, NO_DOWNLOADS, seed=1)[0]

    fetched = pickle.loads(pickle.dumps(clip)).fetch()

    assert isinstance(fetched, VideoBytes)
    with av.open(io.BytesIO(fetched.content)) as container:
        images = list(container.decode(video=0))
    recipe = plan_clips(photo_library.fetch(), SHORT_CLIPS, seed=1)[0]
    assert len(images) == recipe.frames
    assert (images[0].width, images[0].height) == (recipe.width, recipe.height)


def test_the_clips_depend_on_the_seed(photo_library):
    options = IngestionOptions(clips=SHORT_CLIPS)

    once, again, otherwise = (
        [video.digest for video in list_source_videos(options, photo_library, NO_DOWNLOADS, seed)] for seed in (1, 1, 2)
    )

    assert once == again
    assert set(once).isdisjoint(otherwise)


def test_copies_and_links_have_different_digests(photo_library, video_folder):
    linked, copied = (
        list_source_videos(
            IngestionOptions(source="folder", folder=FolderOptions(path=video_folder, copy_files=copy_files)),
            photo_library,
            NO_DOWNLOADS,
            seed=1,
        )
        for copy_files in (False, True)
    )

    assert all(link.digest != copied_.digest for link, copied_ in zip(linked, copied, strict=True))


def test_a_name_that_is_not_unicode_can_be_stored_in_a_table(photo_library, video_folder):
    try:
        (video_folder / os.fsdecode(b"bad\xff.mp4")).touch()
    except OSError:
        pytest.skip("this file system accepts only Unicode names")

    offered = list_source_videos(
        IngestionOptions(source="folder", folder=FolderOptions(path=video_folder)), photo_library, NO_DOWNLOADS, seed=1
    )

    assert all((video.metadata.title + video.source + video.group).encode() for video in offered)


@pytest.mark.parametrize("seed", ["abc", -1, 1.5])
def test_an_invalid_seed_raises_an_error(photo_library, seed):
    with pytest.raises(ValueError, match="The seed must be a non-negative integer"):
        list_source_videos(IngestionOptions(), photo_library, NO_DOWNLOADS, seed)


def downloaded(status="ok", error="", category="pets", **metadata):
    """Return the state of a download of a previous run, as the catalog loads it."""
    known = {
        "category": category,
        "key": "site 1",
        "requested_key": "site 1",
        "source": "https://videos.example/1",
        "group": "Ana",
    }
    return PartitionState("options", status, error, properties={**vars(VideoMetadata("Cat")), **known, **metadata})


def offer_downloads(**downloads):
    options = IngestionOptions(source="web", web=WebOptions(categories={"pets": WebCategory()}))
    states = {f"pets/{name}": state for name, state in downloads.items()}
    stored = Partitions(states, lambda _: VideoFile(Path("/downloads/pets/cat.mp4")))
    return {video.video_id: video for video in list_source_videos(options, None, stored, seed=1)}


def test_downloads_are_listed_with_their_metadata():
    cat = offer_downloads(cat=downloaded(uploader="Ana", view_count=3))["pets/cat"]

    assert (cat.category, cat.group, cat.source) == ("pets", "Ana", PAGE)
    assert cat.metadata == VideoMetadata("Cat", uploader="Ana", view_count=3)
    assert cat.fetch() == VideoLink(Path("/downloads/pets/cat.mp4"))


def test_failed_downloads_are_listed_with_the_reason():
    gone = offer_downloads(gone=downloaded("unavailable", "It is gone"))["pets/gone"]

    with pytest.raises(VideoError, match="It is gone") as raised:
        pickle.loads(pickle.dumps(gone)).fetch()

    assert raised.value.status == "unavailable"


def test_filtered_videos_and_other_categories_are_not_listed():
    offered = offer_downloads(
        cat=downloaded(), long=downloaded("filtered", "It is too long"), car=downloaded(category="cars")
    )

    assert offered.keys() == {"pets/cat"}


def test_a_later_successful_download_changes_the_digest():
    before = offer_downloads(cat=downloaded("unreachable", "Timed out"))["pets/cat"]

    assert before.digest != offer_downloads(cat=downloaded())["pets/cat"].digest
