import ast
from fractions import Fraction
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from shutil import copy

import pandas as pd
import pytest
from web_server import video

from video_recommender.incremental import per_partition
from video_recommender.incremental.code_digest import clear_cache, code_digest
from video_recommender.media.clip_rendering import render_clip
from video_recommender.media.video import VideoLink
from video_recommender.pipelines.ingestion.nodes import (
    collect_video,
    describe_videos,
    download_videos,
    list_videos,
    summarise_downloads,
)
from video_recommender.schemas import VideoManifest
from video_recommender.sources.listing import FolderOptions, IngestionOptions
from video_recommender.sources.metadata import SourceVideo, VideoMetadata
from video_recommender.sources.photos import ClipOptions, ClipStyle, list_photo_folder, plan_clips
from video_recommender.sources.web_options import RateLimits, WebAccess, WebCategory, WebFilters, WebOptions
from video_recommender.storage.partitions import Partitions, PartitionState

BUNDLED = Path(str(files("skimage") / "data"))
TINY_CLIPS = ClipOptions(clips_per_category=2, seconds=(0.5, 0.5))
TINY_STYLE = ClipStyle(sizes=((64, 48),), frame_rates=(Fraction(10),))
KNOWN = {"category": "pets", "source": "/videos/pets", "title": "Pets", "group": "pets", "photos": ""}
PROBED = {"duration_s": 5.0, "fps": 25.0, "width": 320, "height": 240}


class NoDemo:
    def fetch(self):
        raise AssertionError("the source is not the demo")


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


def collect(folder):
    """Collect the videos of a folder, with their states."""
    options = IngestionOptions(source="folder", folder=FolderOptions(path=folder))
    node = per_partition(collect_video, inputs="source_videos", outputs="videos", name="collect_video")
    return loaded(node.func(list_videos(NoDemo(), Partitions(), options, 1)))


def loaded(updates):
    """Return what the catalog loads after the updates."""
    saved = {key: partition for update in updates for key, partition in update.items()}
    states = {key: partition.state for key, partition in saved.items()}
    return Partitions.from_values({key: partition.value for key, partition in saved.items()}, states)


def described(**videos):
    states = {
        f"pets/{name}": PartitionState(
            name, video.pop("status", "ok"), video.pop("error", ""), properties={**KNOWN, **video}
        )
        for name, video in videos.items()
    }
    return describe_videos(Partitions(states)).set_index("video_id")


def test_every_video_of_the_source_is_collected_and_probed(folder_of_videos):
    collected = collect(folder_of_videos)

    properties = collected.states["things/clip-001"].properties
    link = collected.load("things/clip-001")
    assert link == VideoLink(folder_of_videos / "things/clip-001.mp4", digest=properties["sha256"])
    assert properties["category"] == "things"
    assert (properties["width"], properties["height"]) == (64, 48)
    assert properties["duration_s"] == pytest.approx(0.5)


def test_an_unreadable_file_has_an_error_and_its_known_properties(folder_of_videos):
    diary = collect(folder_of_videos).states["things/diary"]

    assert diary.status == "unreadable"
    assert "diary.mp4" in diary.error
    assert diary.properties["category"] == "things"


def test_a_rendered_clip_has_the_digest_of_its_bytes(folder_of_videos):
    photos = list_photo_folder(folder_of_videos.parent / "photos")
    (clip,) = plan_clips(photos, TINY_CLIPS.model_copy(update={"clips_per_category": 1}), seed=1, style=TINY_STYLE)
    metadata = VideoMetadata(clip.title)

    collected = collect_video(SourceVideo(clip.video_id, "things", clip.digest, metadata, "photos", clip.group, clip))

    assert collected.video.content == (folder_of_videos / f"{clip.video_id}.mp4").read_bytes()
    assert collected.video.digest == collected.properties["sha256"] == sha256(collected.video.content).hexdigest()


def test_a_change_of_the_rendering_code_changes_the_digest_of_the_node(monkeypatch):
    parse = ast.parse

    def parse_edited(source, *arguments, **options):
        edited = source.replace(b"cv2.INTER_AREA", b"cv2.INTER_CUBIC") if isinstance(source, bytes) else source
        return parse(edited, *arguments, **options)

    before = code_digest(collect_video), code_digest(describe_videos)
    with monkeypatch.context() as edit:
        edit.setattr(ast, "parse", parse_edited)
        clear_cache()
        after = code_digest(collect_video), code_digest(describe_videos)
    clear_cache()

    assert after[0] != before[0]
    assert after[1] == before[1]


def test_the_manifest_contains_the_collected_videos(folder_of_videos):
    manifest = describe_videos(collect(folder_of_videos)).set_index("video_id")

    assert manifest["status"].to_dict() == {
        "things/clip-001": "ok",
        "things/clip-002": "ok",
        "things/diary": "unreadable",
    }
    assert manifest.loc["things/diary", ["width", "sha256"]].isna().all()


def test_all_but_the_first_of_identical_files_are_duplicates():
    manifest = described(
        a=PROBED | {"sha256": "1"}, b=PROBED | {"sha256": "2"}, c=PROBED | {"sha256": "1"}, d=PROBED | {"sha256": "1"}
    )

    assert manifest["status"].tolist() == ["ok", "ok", "duplicate", "duplicate"]
    assert manifest["error"].str.contains("pets/a").tolist() == [False, False, True, True]


def test_the_manifest_contains_the_errors():
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
        ({"cat": {"status": "empty", "error": "is empty"}}, r"None of 1 files .*/videos/pets: is empty"),
        ({}, r"None of 0 files"),
    ],
)
def test_an_error_is_raised_if_no_video_is_usable(videos, message):
    with pytest.raises(ValueError, match=message):
        described(**videos)


def test_published_metadata_is_in_the_manifest():
    metadata = {"uploader": "Ana", "upload_date": "2024-05-31", "view_count": 42, "licence": "CC BY"}

    manifest = described(cat=PROBED | {"sha256": "1"} | metadata, dog=PROBED | {"sha256": "2"})

    assert manifest.loc["pets/cat", list(metadata)].tolist() == ["Ana", pd.Timestamp("2024-05-31"), 42, "CC BY"]
    assert manifest.loc["pets/dog", list(metadata)].isna().all()


def test_no_video_is_downloaded_unless_the_source_is_the_web(tmp_path):
    access = WebAccess(tmp_path / "partial")

    assert list(download_videos({}, access, IngestionOptions(), 1)) == []
    assert not access.partial_folder.exists()
    assert summarise_downloads(Partitions(), IngestionOptions()).empty


def test_web_videos_are_downloaded_and_reported(web, clips, tmp_path, short_pauses):
    web.answers["/cat.mp4"] = video(clips[0])
    wanted = WebCategory(sources=(web.url("/cat.mp4"), web.url("/gone.mp4")), target=2)
    fast = RateLimits(retries=0, sleep_between_videos_s=(0, 0))
    web_options = WebOptions(
        categories={"pets": wanted}, rate_limits=fast, filters=WebFilters(min_seconds=0, min_height=1)
    )
    options = IngestionOptions(source="web", web=web_options)

    made = loaded(download_videos({}, WebAccess(tmp_path / "partial"), options, 1))

    assert sorted(state.status for state in made.states.values()) == ["ok", "unavailable"]
    assert summarise_downloads(made, options).to_dict("records") == [
        {"category": "pets", "target": 2, "usable": 1, "result": "sources exhausted", "not_usable": "1 unavailable"}
    ]


def test_each_category_has_its_target_and_its_unusable_videos():
    statuses = [("pets", status) for status in ("ok", "filtered", "unavailable", "filtered")]
    outcomes = enumerate([*statuses, ("cars", "ok"), ("boats", "ok")])
    downloads = Partitions(
        {str(n): PartitionState(status=st, properties={"category": name}) for n, (name, st) in outcomes}
    )
    categories = {"pets": WebCategory(), "cars": WebCategory(target=1), "music": WebCategory()}
    options = IngestionOptions(source="web", web=WebOptions(categories=categories, target=2))

    report = summarise_downloads(downloads, options).set_index("category")

    assert report["usable"].to_dict() == {"pets": 1, "cars": 1, "music": 0}
    assert report["target"].to_dict() == {"pets": 2, "cars": 1, "music": 2}
    assert report["result"].tolist() == ["sources exhausted", "target reached", "sources exhausted"]
    assert report["not_usable"].tolist() == ["2 filtered, 1 unavailable", "", ""]
    assert summarise_downloads(downloads, IngestionOptions(source="web")).empty
