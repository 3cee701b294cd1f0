"""Datasets in an object store behave like datasets on a local disk."""

import json

import cv2
import numpy as np
import pytest
from kedro.io import DatasetError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pickle import PickleDataset
from object_store import BUCKET, object_store

from video_recommender.datasets import FrameFolderDataset, VideoFileDataset
from video_recommender.datasets.atomic_catalog import AtomicCatalog
from video_recommender.incremental.dataset_files import ABSENT, dataset_digest
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.video import VideoBytes, VideoError, VideoLink
from video_recommender.sources.listing import list_folder
from video_recommender.storage.partitions import STATE_FOLDER
from video_recommender.storage.paths import parse_path, require_local_path

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


def test_frames_are_in_order_and_fewer_frames_replace_all_previous_frames(store):
    frames = FrameFolderDataset(filepath=f"{ROOT}/frames/pets/cat")

    grey = (np.full((8, 8, 3), 20 * number, np.uint8) for number in range(12))
    frames.save(EncodedFrames(tuple(cv2.imencode(".jpg", image)[1].tobytes() for image in grey)))
    first = [round(image.mean() / 20) for image in frames.load().images()]
    frames.save(EncodedFrames((b"new", b"frames")))

    assert first == list(range(12))
    assert [file.read_bytes() for file in frames.load().files] == [b"new", b"frames"]
    assert str(frames.load().files[1]) == f"{ROOT}/frames/pets/cat/2.jpg"


def test_a_missing_folder_of_frames_is_reported(store):
    missing = FrameFolderDataset(filepath=f"{ROOT}/frames/pets/none")

    assert not missing.exists()
    with pytest.raises(VideoError, match="contains no frames"):
        missing.load().decode()


def test_video_in_a_store_is_a_local_file_only_while_it_is_used(store):
    video = VideoFileDataset(filepath=f"{ROOT}/videos/cat.mp4")
    video.save(VideoBytes(b"the bytes of a video"))

    with video.load().as_local_file() as copy:
        content = copy.path.read_bytes()

    assert content == b"the bytes of a video"
    assert copy.name == f"{ROOT}/videos/cat.mp4"
    assert not copy.path.exists()


def test_a_missing_video_is_reported_with_its_path(store):
    video = VideoFileDataset(filepath=f"{ROOT}/videos/none.mp4").load()

    with pytest.raises(VideoError, match=f"{ROOT}/videos/none.mp4 cannot be found") as raised, video.as_local_file():
        pass

    assert raised.value.status == "missing"


def test_a_link_becomes_a_copy_from_a_disk_and_within_the_store(store, tmp_path):
    own = tmp_path / "own.webm"
    own.write_bytes(b"irreplaceable")

    VideoFileDataset(filepath=f"{ROOT}/downloads/cat.mp4").save(VideoLink(own))
    VideoFileDataset(filepath=f"{ROOT}/videos/cat.mp4").save(VideoLink(parse_path(f"{ROOT}/downloads/cat.mp4")))
    VideoFileDataset(filepath=f"{ROOT}/videos/cat.mp4").save(VideoBytes(b"new"))

    assert store.cat_file(f"{BUCKET}/downloads/cat.mp4") == own.read_bytes() == b"irreplaceable"
    assert store.cat_file(f"{BUCKET}/videos/cat.mp4") == b"new"


def test_a_folder_of_videos_is_listed_by_category_and_a_replaced_video_is_detected(store):
    for name in ("pets/a cat.mp4", "pets/notes.txt", "cars/race/1.MKV", "alone.mp4", ".hidden/x.mp4"):
        store.pipe_file(f"{BUCKET}/own/{name}", b"video")
    before = {video.video_id: video for video in list_folder(f"{ROOT}/own")}
    store.pipe_file(f"{BUCKET}/own/pets/a cat.mp4", b"other video")

    after = {video.video_id: video for video in list_folder(f"{ROOT}/own")}

    assert list(before) == ["cars/1", "pets/a-cat", "unlabelled/alone"]
    assert before["cars/1"].source == f"{ROOT}/own/cars/race/1.MKV"
    assert before["cars/1"].group == "cars/race"
    changed = {name for name in after if after[name].digest != before[name].digest}
    assert changed == {"pets/a-cat"}


@pytest.mark.parametrize("name", ["nothing", "kept"])
def test_a_folder_without_videos_is_rejected(store, name):
    store.pipe_file(f"{BUCKET}/kept/{STATE_FOLDER}/1.jsonl", b"{}")

    with pytest.raises(ValueError, match=rf"{ROOT}/{name}.*: name a folder of videos"):
        list_folder(f"{ROOT}/{name}")


@pytest.mark.parametrize("kind", [PickleDataset, JSONDataset])
def test_previous_content_is_kept_if_a_save_fails(store, kind):
    catalog = AtomicCatalog({"made": kind(filepath=f"{ROOT}/made")})
    catalog.save("made", {"run": 1})

    with pytest.raises(DatasetError):
        catalog.save("made", {"run": lambda: None})

    assert catalog.load("made") == {"run": 1}


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "json.JSONDataset", "filepath": f"{ROOT}/made.json"},
        {
            "type": "video_recommender.datasets.OptionalDataset",
            "dataset": {"type": "json.JSONDataset", "filepath": f"{ROOT}/made.json", "credentials": "store"},
        },
    ],
    ids=["plain", "optional"],
)
def test_content_at_the_location_of_a_dataset_has_a_digest(store, entry):
    credentials = {"store": {"key": "user", "secret": "not secret"}}
    catalog = AtomicCatalog.from_config({"made": entry}, credentials)
    nothing = dataset_digest(catalog["made"])

    digests = []
    for run in (1, 2, 1):
        catalog.save("made", {"run": run})
        digests.append(dataset_digest(catalog["made"]))
    with pytest.raises(DatasetError):
        catalog.save("made", {"run": lambda: None})

    assert json.loads(store.cat_file(f"{BUCKET}/made.json")) == {"run": 1}
    assert nothing == ABSENT
    assert digests[0] == digests[2] != digests[1]


def test_a_path_in_a_store_is_rejected_where_a_local_one_is_required():
    with pytest.raises(ValueError, match=r"s3://corpus/wheels must be on a local disk: set `disk` in globals.yml"):
        require_local_path("s3://corpus/wheels")
