from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from shutil import copy

import pandas as pd
import pytest
from video_recommender.incremental.parallel import WorkerOptions
from web_server import video

from video_recommender.media.clip_rendering import render_clip
from video_recommender.media.video import VideoLink
from video_recommender.pipelines.ingestion.nodes import (
    collect_videos,
    describe_videos,
    download_videos,
    summarise_downloads,
)
from video_recommender.schemas import VideoManifest
from video_recommender.sources.listing import FolderOptions, IngestionOptions
from video_recommender.sources.photos import ClipOptions, ClipStyle, list_photo_folder, plan_clips
from video_recommender.sources.web_access import WebAccess
from video_recommender.sources.web_options import RateLimits, WebCategory, WebFilters, WebOptions
from video_recommender.storage.partitions import PartitionRecord, Partitions, StoredPartition

BUNDLED = Path(str(files("skimage") / "data"))
HERE = WorkerOptions(backend="sequential")
TINY_CLIPS = ClipOptions(clips_per_category=2, seconds=(0.5, 0.5))
TINY_STYLE = ClipStyle(sizes=((64, 48),), frame_rates=(Fraction(10),))
KNOWN = {"category": "pets", "source": "/videos/pets", "title": "Pets", "group": "pets", "photos": ""}
PROBED = {"duration_s": 5.0, "fps": 25.0, "width": 320, "height": 240}


class NoDemo:
    def fetch(self):
        raise AssertionError("the demo was not chosen")


@pytest.fixture
def folder_of_videos(tmp_path):
    photos = tmp_path / "photos/things"
    photos.mkdir(parents=True)
    for name in ("coffee.png", "rocket.jpg"):
        copy(BUNDLED / name, photos / name)
    for recipe in plan_clips(list_photo_folder(photos.parent), TINY_CLIPS, seed=1, style=TINY_STYLE):
        file = tmp_path / f"videos/{recipe.video_id}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(render_clip(recipe))
    (tmp_path / "videos/things/diary.mp4").write_text("no video")
    return tmp_path / "videos"


def collect(folder, stored):
    options = IngestionOptions(source="folder", folder=FolderOptions(path=folder))
    deletions, *updates = collect_videos(NoDemo(), Partitions(), stored, options, 1, HERE)
    return deletions, {video_id: partition for update in updates for video_id, partition in update.items()}


def as_stored(collected):
    return Partitions({video_id: StoredPartition(new.record, str) for video_id, new in collected.items()})


def described(**videos):
    records = {
        f"pets/{name}": PartitionRecord(name, video.pop("status", "ok"), video.pop("error", ""), {**KNOWN, **video})
        for name, video in videos.items()
    }
    stored = Partitions({video_id: StoredPartition(record, str) for video_id, record in records.items()})
    return describe_videos(stored).set_index("video_id")


def test_every_video_of_the_source_is_collected_and_looked_into(folder_of_videos):
    deletions, collected = collect(folder_of_videos, Partitions())

    clip = collected["things/clip-001"]
    assert deletions == {}
    assert clip.content == VideoLink(folder_of_videos / "things/clip-001.mp4")
    assert clip.record.details["category"] == "things"
    assert (clip.record.details["width"], clip.record.details["height"]) == (64, 48)
    assert clip.record.details["duration_s"] == pytest.approx(0.5)


def test_a_file_that_is_no_video_is_kept_in_mind_with_the_reason_and_without_content(folder_of_videos):
    _, collected = collect(folder_of_videos, Partitions())

    diary = collected["things/diary"]
    assert diary.content is None
    assert diary.record.status == "unreadable"
    assert "diary.mp4" in diary.record.error
    assert diary.record.details["category"] == "things"


def test_only_what_is_new_or_replaced_is_collected_again_and_what_is_gone_is_deleted(folder_of_videos):
    _, collected = collect(folder_of_videos, Partitions())
    (folder_of_videos / "things/clip-001.mp4").unlink()
    copy(folder_of_videos / "things/clip-002.mp4", folder_of_videos / "things/diary.mp4")

    deletions, again = collect(folder_of_videos, as_stored(collected))

    assert deletions == {"things/clip-001": None}
    assert again.keys() == {"things/diary"}
    assert again["things/diary"].record.is_ok


def test_what_was_collected_can_be_described(folder_of_videos):
    _, collected = collect(folder_of_videos, Partitions())

    manifest = describe_videos(as_stored(collected)).set_index("video_id")

    assert manifest["status"].to_dict() == {
        "things/clip-001": "ok",
        "things/clip-002": "ok",
        "things/diary": "unreadable",
    }
    assert manifest.loc["things/diary", ["width", "sha256"]].isna().all()


def test_of_equal_files_the_first_stays_and_the_others_are_marked():
    manifest = described(
        a=PROBED | {"sha256": "1"}, b=PROBED | {"sha256": "2"}, c=PROBED | {"sha256": "1"}, d=PROBED | {"sha256": "1"}
    )

    assert manifest["status"].tolist() == ["ok", "ok", "duplicate", "duplicate"]
    assert manifest["error"].str.contains("pets/a").tolist() == [False, False, True, True]


def test_what_is_wrong_with_a_video_is_kept():
    manifest = described(
        cat=PROBED | {"sha256": "1"},
        dog={"status": "unreadable", "error": "dog.mp4 is no video"},
        fox={"status": "empty", "error": "fox.mp4 is empty"},
    )

    assert manifest["status"].tolist() == ["ok", "unreadable", "empty"]
    assert manifest["error"].tolist() == ["", "dog.mp4 is no video", "fox.mp4 is empty"]
    assert VideoManifest.validate(manifest.reset_index()).shape == (3, len(VideoManifest.to_schema().columns))


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ({"cat": {"status": "empty", "error": "is empty"}}, r"Not one of 1 files .*/videos/pets: is empty"),
        ({}, r"Not one of 0 files"),
    ],
)
def test_without_a_single_usable_video_the_run_ends_in_a_sentence(videos, message):
    with pytest.raises(ValueError, match=message):
        described(**videos)


def test_published_metadata_is_in_the_manifest():
    metadata = {"uploader": "Ana", "upload_date": "2024-05-31", "view_count": 42, "licence": "CC BY"}

    manifest = described(cat=PROBED | {"sha256": "1"} | metadata, dog=PROBED | {"sha256": "2"})

    assert manifest.loc["pets/cat", list(metadata)].tolist() == ["Ana", pd.Timestamp("2024-05-31"), 42, "CC BY"]
    assert manifest.loc["pets/dog", list(metadata)].isna().all()


def test_nothing_is_downloaded_unless_the_web_is_the_source(tmp_path):
    access = WebAccess(tmp_path / "partial")

    assert list(download_videos(access, Partitions(), IngestionOptions(), 1)) == [{}]
    assert not access.partial_folder.exists()
    assert summarise_downloads(as_stored({}), IngestionOptions()).empty


def test_web_videos_are_downloaded_and_reported(web, clips, tmp_path, short_pauses):
    web.answers["/cat.mp4"] = video(clips[0])
    wanted = WebCategory(sources=(web.url("/cat.mp4"), web.url("/gone.mp4")), target=2)
    fast = RateLimits(retries=0, sleep_between_videos_s=(0, 0))
    youtube = WebOptions(categories={"pets": wanted}, rate_limits=fast, filters=WebFilters(min_seconds=0, min_height=1))
    options = IngestionOptions(source="youtube", youtube=youtube)

    updates = list(download_videos(WebAccess(tmp_path / "partial"), Partitions(), options, 1))
    made = as_stored({video_id: partition for update in updates for video_id, partition in update.items()})

    assert [stored.record.status for stored in made.values()] == ["ok", "unavailable"]
    assert summarise_downloads(made, options).to_dict("records") == [
        {"category": "pets", "target": 2, "usable": 1, "result": "sources exhausted", "not_usable": "1 unavailable"}
    ]
