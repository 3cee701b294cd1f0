"""What lies in an object store is handled as what lies on a disk."""

import json

import pytest
from kedro.io import DatasetError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pickle import PickleDataset
from object_store import BUCKET, object_store

from video_recommender.datasets import (
    DeferredDataset,
    FrameFolderDataset,
    OptionalDataset,
    VideoFileDataset,
)
from video_recommender.datasets.atomic_catalog import WriteAsideCatalog
from video_recommender.incremental.stored_digest import stored_digest
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.video import VideoBytes, VideoError, VideoLink
from video_recommender.sources.folder import list_folder
from video_recommender.storage.paths import on_a_disk, place_at

ROOT = f"s3://{BUCKET}"


@pytest.fixture(scope="module")
def shared_store():
    with object_store() as store:
        yield store


@pytest.fixture
def store(shared_store):
    for entry in shared_store.ls(BUCKET):
        shared_store.rm(entry, recursive=True)
    return shared_store


def test_frames_are_kept_in_order_and_fewer_leave_no_stale_ones(store):
    frames = FrameFolderDataset(filepath=f"{ROOT}/frames/pets/cat")

    frames.save(EncodedFrames(tuple(f"{number}".encode() for number in range(12))))
    first = frames.load().read()
    frames.save(EncodedFrames((b"new", b"frames")))

    assert first.jpegs[9:] == (b"9", b"10", b"11")
    assert frames.load().read().jpegs == (b"new", b"frames")
    assert str(frames.load().files[1]) == f"{ROOT}/frames/pets/cat/2.jpg"


def test_frames_that_are_not_there_are_none(store):
    missing = FrameFolderDataset(filepath=f"{ROOT}/frames/pets/none")

    assert not missing.exists()
    with pytest.raises(VideoError, match="holds no frames"):
        missing.load().decode()


def test_video_is_at_hand_while_it_is_worked_on_and_not_afterwards(store):
    video = VideoFileDataset(filepath=f"{ROOT}/videos/cat.mp4")
    video.save(VideoBytes(b"the bytes of a video"))

    with video.load().at_hand() as copy:
        content = copy.path.read_bytes()

    assert content == b"the bytes of a video"
    assert copy.name == f"{ROOT}/videos/cat.mp4"
    assert not copy.path.exists()


def test_missing_video_is_named(store):
    video = VideoFileDataset(filepath=f"{ROOT}/videos/none.mp4").load()

    with pytest.raises(VideoError, match=f"{ROOT}/videos/none.mp4 cannot be found") as raised, video.at_hand():
        pass

    assert raised.value.status == "missing"


def test_a_link_becomes_a_copy_from_a_disk_and_within_the_store(store, tmp_path):
    own = tmp_path / "own.webm"
    own.write_bytes(b"irreplaceable")

    VideoFileDataset(filepath=f"{ROOT}/downloads/cat.mp4").save(VideoLink(own))
    VideoFileDataset(filepath=f"{ROOT}/videos/cat.mp4").save(VideoLink(place_at(f"{ROOT}/downloads/cat.mp4")))
    VideoFileDataset(filepath=f"{ROOT}/videos/cat.mp4").save(VideoBytes(b"new"))

    assert store.cat_file(f"{BUCKET}/downloads/cat.mp4") == own.read_bytes() == b"irreplaceable"
    assert store.cat_file(f"{BUCKET}/videos/cat.mp4") == b"new"


def test_folder_of_videos_is_listed_by_category_and_a_replaced_one_is_noticed(store):
    for name in ("pets/a cat.mp4", "pets/notes.txt", "cars/race/1.MKV", "alone.mp4", ".hidden/x.mp4"):
        store.pipe_file(f"{BUCKET}/films/{name}", b"film")
    before = {video.video_id: video for video in list_folder(f"{ROOT}/films")}
    store.pipe_file(f"{BUCKET}/films/pets/a cat.mp4", b"other film")

    after = {video.video_id: video for video in list_folder(f"{ROOT}/films")}

    assert list(before) == ["cars/1", "pets/a-cat", "unlabelled/alone"]
    assert str(before["cars/1"].path) == f"{ROOT}/films/cars/race/1.MKV"
    assert before["cars/1"].group == "cars/race"
    changed = {name for name in after if after[name].fingerprint != before[name].fingerprint}
    assert changed == {"pets/a-cat"}


@pytest.mark.parametrize("name", ["nothing", "kept"])
def test_folder_that_is_no_source_is_refused(store, name):
    store.pipe_file(f"{BUCKET}/kept/.state/000001-a.jsonl", b"{}")

    with pytest.raises(ValueError, match=rf"{ROOT}/{name}.*: name a folder of videos"):
        list_folder(f"{ROOT}/{name}")


@pytest.mark.parametrize("kind", [PickleDataset, JSONDataset])
def test_old_content_stays_when_saving_fails(store, kind):
    catalog = WriteAsideCatalog({"made": kind(filepath=f"{ROOT}/made")})
    catalog.save("made", {"run": 1})

    with pytest.raises(DatasetError):
        catalog.save("made", {"run": lambda: None})

    assert catalog.load("made") == {"run": 1}


@pytest.mark.parametrize("wrap", [OptionalDataset, DeferredDataset])
def test_wrapped_dataset_is_saved_and_its_content_has_a_digest(store, wrap):
    dataset = wrap(dataset={"type": "json.JSONDataset", "filepath": f"{ROOT}/made.json"})
    catalog = WriteAsideCatalog({"made": dataset})
    nothing = stored_digest(dataset._fs, dataset._filepath)

    digests = []
    for run in (1, 2, 1):
        catalog.save("made", {"run": run})
        digests.append(stored_digest(dataset._fs, dataset._filepath))

    assert json.loads(store.cat_file(f"{BUCKET}/made.json")) == {"run": 1}
    assert nothing is None
    assert digests[0] == digests[2] != digests[1]


def test_what_must_be_on_a_disk_says_so():
    with pytest.raises(ValueError, match=r"s3://corpus/wheels must be on a disk .* `disk` in globals.yml"):
        on_a_disk("s3://corpus/wheels")
