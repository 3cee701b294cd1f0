import cv2
import numpy as np
import pandas as pd
import pytest
from video_recommender.incremental.parallel import WorkerOptions

from video_recommender.media.frames import FrameFolder
from video_recommender.networks.detections import DetectionOptions
from video_recommender.networks.frame_classifier import FramePredictions
from video_recommender.pipelines.detection.nodes import (
    detect_objects,
    summarise_detections,
)
from video_recommender.schemas import DetectionManifest, FrameManifest
from video_recommender.storage.partitions import PartitionRecord, Partitions, StoredPartition

EVERY_FRAME = DetectionOptions()
HERE = WorkerOptions(backend="sequential")
COLOURS = {"tomato": (220, 20, 20), "frog": (20, 220, 20), "sky": (20, 20, 220)}
DAMAGED = "damaged"
NOTHING_STORED = (Partitions(), Partitions(), Partitions())


class ColourClassifier:
    """Names a frame by its colour: the nodes need some network, and this one takes no time."""

    class_names = tuple(COLOURS)

    def __init__(self, digest="1"):
        self.digest = digest

    def predict(self, frames):
        light = frames.mean(axis=(1, 2), dtype=np.float32)
        return FramePredictions(light / light.sum(axis=1, keepdims=True), light[:, :2])


@pytest.fixture
def frames_of(tmp_path):
    def write(**videos):
        """Save frames of the named colours, one folder per video."""
        for name, colours in videos.items():
            folder = tmp_path / "pets" / name
            folder.mkdir(parents=True, exist_ok=True)
            for number, colour in enumerate(colours, start=1):
                file = folder / f"{number}.jpg"
                if colour == DAMAGED:
                    file.write_bytes(b"no picture")
                else:
                    cv2.imwrite(str(file), np.full((16, 16, 3), COLOURS[colour][::-1], np.uint8))
        return Partitions(
            {
                f"pets/{name}": StoredPartition(
                    PartitionRecord("-".join(colours)), lambda name=name: FrameFolder(tmp_path / "pets" / name)
                )
                for name, colours in videos.items()
            }
        )

    return write


def detect(frames, stored=NOTHING_STORED, classifier=None, options=EVERY_FRAME):
    """The updates of the three datasets, each as one: detections, class probabilities, embeddings."""
    detections, probabilities, embeddings = {}, {}, {}
    for update in detect_objects(frames, *stored, classifier or ColourClassifier(), options, HERE):
        for whole, part in zip((detections, probabilities, embeddings), update, strict=True):
            whole.update(part)
    return detections, probabilities, embeddings


def kept(updates):
    return Partitions(
        {
            video_id: StoredPartition(new.record, lambda new=new: new.content)
            for video_id, new in updates.items()
            if new is not None
        }
    )


def frame_manifest_of(**videos):
    rows = [
        {"video_id": f"pets/{name}", "status": status, "error": error, "frames": 0, "fingerprint": "1"}
        for name, (status, error) in videos.items()
    ]
    table = pd.DataFrame(rows, columns=list(FrameManifest.to_schema().columns))
    return FrameManifest.validate(table.assign(shot_numbers="", times_s=""))


def test_frames_of_videos_that_are_done_are_not_looked_for(frames_of):
    frames = frames_of(cat=["tomato"], dog=["frog"])
    stored = tuple(map(kept, detect(frames)))

    def look_for():
        raise AssertionError("it is done")

    done = {name: StoredPartition(frames[name].record, look_for) for name in frames}
    made, _, _ = detect(Partitions({**done, **frames_of(emu=["sky"])}), stored)

    assert list(made) == ["pets/emu"]


def test_what_is_seen_in_a_video_goes_to_three_datasets_under_one_record(frames_of):
    detections, probabilities, embeddings = (
        updates["pets/cat"] for updates in detect(frames_of(cat=["tomato", "tomato", "frog"]))
    )

    assert detections.record == probabilities.record == embeddings.record
    assert detections.record.is_ok
    assert detections.record.details == {"frames": 3}
    assert detections.content["class_name"].tolist() == ["tomato", "tomato", "frog"]
    assert probabilities.content["class_name"].tolist() == ["tomato", "frog", "sky"]
    assert probabilities.content["probability"].sum() == pytest.approx(1)
    assert embeddings.content["value"].to_numpy() == pytest.approx([460 / 3, 260 / 3], abs=3)


def test_a_video_that_fails_has_its_reason_in_all_three_and_does_not_stop_the_others(frames_of):
    made = detect(frames_of(cat=["tomato"], dog=["frog", DAMAGED]))

    for updates in made:
        assert updates["pets/cat"].record.is_ok
        assert updates["pets/dog"].content is None
        assert updates["pets/dog"].record.status == "damaged"
        assert "2.jpg" in updates["pets/dog"].record.error


def test_only_new_videos_are_looked_at_and_those_that_are_gone_are_deleted_from_all_three(frames_of):
    stored = [kept(updates) for updates in detect(frames_of(cat=["tomato"], dog=["frog"]))]

    made = detect(frames_of(cat=["tomato"], fox=["sky"]), stored)

    for updates in made:
        assert updates.keys() == {"pets/dog", "pets/fox"}
        assert updates["pets/dog"] is None


def test_a_video_that_one_of_the_three_has_lost_is_looked_at_again(frames_of):
    frames = frames_of(cat=["tomato"], dog=["frog"])
    detections, probabilities, embeddings = map(kept, detect(frames))
    lossy = Partitions({video_id: stored for video_id, stored in probabilities.items() if video_id != "pets/dog"})

    made = detect(frames, (detections, lossy, embeddings))

    assert [set(updates) for updates in made] == [{"pets/dog"}] * 3


def test_another_network_looks_at_all_videos_again(frames_of):
    frames = frames_of(cat=["tomato"], dog=["frog"])
    stored = [kept(updates) for updates in detect(frames)]

    detections, *_ = detect(frames, stored, ColourClassifier("2"))

    assert detections.keys() == {"pets/cat", "pets/dog"}


def test_frames_that_are_reused_make_other_detections_and_no_reuse_leaves_them_as_they_were(frames_of):
    frames = frames_of(cat=["tomato", "frog"])
    every, reused = detect(frames), detect(frames, options=DetectionOptions(reuse_below=255))

    assert every[0]["pets/cat"].content["class_name"].tolist() == ["tomato", "frog"]
    assert reused[0]["pets/cat"].content["class_name"].tolist() == ["tomato", "tomato"]
    assert reused[0]["pets/cat"].record.fingerprint != every[0]["pets/cat"].record.fingerprint
    assert detect(frames, [kept(updates) for updates in every]) == ({}, {}, {})


def test_videos_without_frames_are_not_looked_at(frames_of):
    frames = frames_of(cat=["tomato"])
    failed = StoredPartition(PartitionRecord("2", "damaged", "no picture"), frames["pets/cat"].load)

    detections, *_ = detect(Partitions({**frames, "pets/dog": failed}))

    assert detections.keys() == {"pets/cat"}


def test_the_manifest_has_every_video_with_the_reason_of_the_stage_where_it_failed(frames_of):
    detections, *_ = detect(frames_of(cat=["tomato", "sky"], dog=[DAMAGED]))
    frame_manifest = frame_manifest_of(cat=("ok", ""), dog=("ok", ""), bat=("damaged", "no picture that decodes"))

    manifest = summarise_detections(kept(detections), frame_manifest).set_index("video_id")

    assert manifest["status"].to_dict() == {"pets/bat": "damaged", "pets/cat": "ok", "pets/dog": "damaged"}
    assert manifest["frames"].to_dict() == {"pets/bat": 0, "pets/cat": 2, "pets/dog": 0}
    assert manifest.loc["pets/bat", "error"] == "no picture that decodes"
    assert "1.jpg" in manifest.loc["pets/dog", "error"]


def test_a_video_that_failed_earlier_is_in_the_manifest_when_no_other_video_is_there():
    manifest = summarise_detections(Partitions(), frame_manifest_of(bat=("damaged", "no picture")))

    assert manifest["video_id"].tolist() == ["pets/bat"]


def test_class_scores_and_embeddings_are_stored_of_videos_that_did_not_fail(frames_of):
    _, probabilities, embeddings = detect(frames_of(cat=["tomato"], dog=["frog"], fox=[DAMAGED]))

    class_scores = {video_id: stored.load() for video_id, stored in kept(probabilities).usable().items()}
    vectors = {video_id: stored.load()["value"].tolist() for video_id, stored in kept(embeddings).usable().items()}

    best = {
        video_id: table.sort_values("probability")["class_name"].iloc[-1] for video_id, table in class_scores.items()
    }
    assert best == {"pets/cat": "tomato", "pets/dog": "frog"}
    assert vectors.keys() == best.keys()
    assert vectors["pets/cat"] == pytest.approx([220, 20], abs=3)


def test_no_videos_give_an_empty_manifest_that_is_valid():
    assert DetectionManifest.validate(summarise_detections(Partitions(), frame_manifest_of())).empty
