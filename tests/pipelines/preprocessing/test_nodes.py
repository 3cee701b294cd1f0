import av
import numpy as np
import pandas as pd
import pytest
from skimage import data
from video_recommender.incremental.parallel import WorkerOptions

from video_recommender.media.frames import EncodedFrames
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.shots import ShotOptions
from video_recommender.media.video import VideoFile
from video_recommender.pipelines.preprocessing.nodes import extract_frames, summarise_frames
from video_recommender.storage.partitions import PartitionRecord, Partitions, StoredPartition

HERE = WorkerOptions(backend="sequential")
OPTIONS = PreprocessingOptions(size=32)
PICTURE = np.ascontiguousarray(data.coffee()[:48, :64])


@pytest.fixture
def videos(tmp_path):
    """Two clips of a second each, and a text."""
    for name in ("cat", "dog"):
        with av.open(str(tmp_path / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=12)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(12):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(PICTURE, format="rgb24")))
            container.mux(stream.encode())
    (tmp_path / "text.mp4").write_text("no video")
    return Partitions(
        {
            f"pets/{name}": StoredPartition(
                PartitionRecord(name), lambda name=name: VideoFile(tmp_path / f"{name}.mp4")
            )
            for name in ("cat", "dog", "text")
        }
    )


def listed(**status):
    return pd.DataFrame(
        [{"video_id": f"pets/{name}", "status": word, "sha256": name} for name, word in status.items()],
        columns=["video_id", "status", "sha256"],
    )


def cut(videos, manifest, stored=None, options=OPTIONS):
    deletions, *updates = extract_frames(videos, manifest, stored or Partitions(), options, HERE)
    return deletions, {video_id: partition for update in updates for video_id, partition in update.items()}


def kept(made):
    return Partitions({video_id: StoredPartition(new.record, str) for video_id, new in made.items()})


def test_each_usable_video_is_cut_into_frames(videos):
    deletions, made = cut(videos, listed(cat="ok", dog="ok"))

    assert deletions == {}
    assert made.keys() == {"pets/cat", "pets/dog"}
    assert isinstance(made["pets/cat"].content, EncodedFrames)
    assert made["pets/cat"].content.decode().shape == (3, 32, 32, 3)
    assert made["pets/cat"].record.details == {"frames": 3, "frames_per_second": 3.0}


def test_a_video_that_is_of_no_use_is_not_cut_and_its_frames_are_deleted(videos):
    _, made = cut(videos, listed(cat="ok", dog="ok"))

    deletions, again = cut(videos, listed(cat="ok", dog="duplicate"), kept(made))

    assert deletions == {"pets/dog": None}
    assert again == {}


def test_frames_are_cut_again_when_the_options_change_and_not_otherwise(videos):
    manifest = listed(cat="ok")
    _, made = cut(videos, manifest)

    assert cut(videos, manifest, kept(made))[1] == {}
    assert cut(videos, manifest, kept(made), PreprocessingOptions(size=48))[1].keys() == {"pets/cat"}


def test_a_renamed_video_of_the_same_bytes_gives_the_same_fingerprint(videos):
    _, made = cut(videos, listed(cat="ok", dog="ok").assign(sha256="the same"))

    assert made["pets/cat"].record.fingerprint == made["pets/dog"].record.fingerprint


def test_a_video_that_cannot_be_cut_has_its_reason_and_does_not_stop_the_others(videos):
    _, made = cut(videos, listed(cat="ok", text="ok"))

    assert made["pets/cat"].record.is_ok
    assert made["pets/text"].content is None
    assert made["pets/text"].record.status == "unreadable"


def test_the_manifest_tells_what_became_of_each_video(videos):
    _, made = cut(videos, listed(cat="ok", text="ok"))

    manifest = summarise_frames(kept(made)).set_index("video_id")

    assert manifest["status"].to_dict() == {"pets/cat": "ok", "pets/text": "unreadable"}
    assert manifest["frames"].to_dict() == {"pets/cat": 3, "pets/text": 0}
    assert "text.mp4" in manifest.loc["pets/text", "error"]
    assert manifest["fingerprint"].nunique() == 2


def test_the_manifest_tells_the_shot_and_the_time_of_each_frame_that_was_taken_from_a_shot(videos):
    options = PreprocessingOptions(size=32, sampling="shots", shots=ShotOptions(frames_per_shot=2))
    _, made = cut(videos, listed(cat="ok", text="ok"), options=options)

    manifest = summarise_frames(kept(made)).set_index("video_id")

    assert manifest.loc["pets/cat", ["frames", "shots", "shot_numbers", "times_s"]].tolist() == [
        2,
        1,
        "1,1",
        "0.25,0.75",
    ]
    assert manifest.loc["pets/text", ["frames", "shot_numbers", "times_s"]].tolist() == [0, "", ""]
    assert pd.isna(manifest.loc["pets/text", "shots"])


def test_no_videos_give_an_empty_manifest():
    assert cut(Partitions(), listed()) == ({}, {})
    assert summarise_frames(Partitions()).empty
