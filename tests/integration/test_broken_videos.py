"""Broken files in a folder of videos: each has a status and an error, and the others are processed."""

import contextlib
import shutil

import av
import numpy as np
import pytest


@pytest.fixture(scope="module")
def broken_run(blank_project, first_run, clips):
    """Add broken and unusual files to the project, run it, and return a copy of it."""
    blank_project.put_back(first_run.finished)
    things = blank_project.videos / "things"
    (things / "empty.mp4").touch()
    (things / "text.mp4").write_text("This is not a video.")
    write_sound(things / "sound.mp4")
    shutil.copy(things / "clip-001.mp4", things / "twin.mp4")
    write_truncated(things / "clip-003.mp4", things / "tail.mkv")
    shutil.copy(clips / "animals/clip-001.mp4", things / "-rf my Ünïcode ☂ clip.mp4")
    shutil.copy(clips / "animals/clip-002.mp4", blank_project.videos / "loose.mp4")
    with contextlib.chdir(blank_project.root):
        blank_project.run()
    broken = blank_project.root.with_name("broken")
    shutil.copytree(blank_project.root, broken, symlinks=True)
    return broken


@pytest.fixture
def broken_project(project, broken_run):
    project.put_back(broken_run)
    return project


def test_each_broken_file_has_a_status_and_an_error_and_the_others_are_processed(broken_project):
    manifest = broken_project.load("video_manifest").set_index("video_id")
    broken = manifest[manifest["status"] != "ok"]

    assert broken["status"].to_dict() == {
        "things/empty": "empty",
        "things/text": "unreadable",
        "things/sound": "audio_only",
        "things/twin": "duplicate",
    }
    assert (broken["error"].str.count(" ") >= 3).all()
    assert "things/clip-001" in broken.loc["things/twin", "error"]
    assert len(manifest) == 12 + 7


def test_broken_files_are_only_in_the_manifests(broken_project):
    manifest = broken_project.load("video_manifest").set_index("video_id")
    usable = set(manifest.index[manifest["status"] == "ok"])

    recommendations = broken_project.load("recommendations")
    for video_ids in (
        broken_project.load("frames"),
        broken_project.load("detections"),
        broken_project.load("class_scores"),
        broken_project.load("video_features").index,
        broken_project.load("video_points").index,
        broken_project.load("category_predictions")["video_id"],
        recommendations["video_id"],
    ):
        assert set(video_ids) == usable
    assert set(recommendations["recommended_video_id"]) <= usable


def test_a_truncated_video_has_the_frames_that_can_be_decoded(broken_project):
    frames = broken_project.load("frame_manifest").set_index("video_id")["frames"]

    assert 1 <= frames["things/tail"] < frames["things/clip-003"]


def test_an_unusual_file_name_becomes_a_safe_video_id_and_is_in_the_manifest(broken_project):
    manifest = broken_project.load("video_manifest").set_index("video_id")

    (video_id,) = manifest.index[manifest["source"].str.endswith("-rf my Ünïcode ☂ clip.mp4")]

    assert video_id == "things/rf-my-unicode-clip"
    assert manifest.loc[video_id, "category"] == "things"
    assert (broken_project.data / "02_intermediate/frames" / video_id / "1.jpg").is_file()


def test_a_video_without_a_category_has_a_predicted_category_and_recommendations(broken_project):
    predicted = broken_project.load("category_predictions").set_index("video_id").loc["unlabelled/loose"]
    recommendations = broken_project.load("recommendations").query("video_id == 'unlabelled/loose'")

    assert predicted.isna()["category"]
    assert predicted.isna()["fold"]
    assert predicted["predicted_category"] in {"space", "textures", "things"}
    assert recommendations["rank"].tolist() == list(range(1, 11))
    assert broken_project.load("classification_metrics")["n_unlabelled"] == 1


def test_a_broken_video_is_not_retried_until_it_is_replaced(broken_project, clips):
    partitions = broken_project.partitions()
    executed = broken_project.run()
    assert broken_project.remade(partitions) == {}
    assert "collect_video" not in executed

    shutil.copy(clips / "animals/clip-003.mp4", broken_project.videos / "things/text.mp4")
    broken_project.run()

    assert all(video_ids == {"things/text"} for video_ids in broken_project.remade(partitions).values())
    assert "things/text" in set(broken_project.load("recommendations")["video_id"])


def test_a_folder_with_only_broken_files_is_rejected(broken_project):
    for video in broken_project.videos.rglob("*.m*"):
        if video.stem not in {"empty", "text"}:
            video.unlink()

    with pytest.raises(ValueError, match=r"None of 2 files is a usable video .*is empty"):
        broken_project.run()


def write_sound(file):
    with av.open(str(file), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


def write_truncated(source, target):
    """Remux a video to Matroska, which can be decoded from the start, and cut off its second half."""
    with av.open(str(source)) as whole, av.open(str(target), "w", format="matroska") as container:
        stream = container.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    content = target.read_bytes()
    target.write_bytes(content[: len(content) // 2])
