import cv2
import numpy as np
import pandas as pd
import pytest

from video_recommender.incremental.per_partition import split_result
from video_recommender.media.frames import FrameFolder
from video_recommender.media.video import VideoError
from video_recommender.networks.detections import DetectionOptions
from video_recommender.networks.frame_classifier import FramePredictions
from video_recommender.pipelines.detection.nodes import detect_objects, summarise_detections
from video_recommender.schemas import DetectionManifest, FrameManifest
from video_recommender.storage.partitions import Partitions, PartitionState

COLOURS = {"tomato": (220, 20, 20), "frog": (20, 220, 20), "sky": (20, 20, 220)}
DAMAGED = "damaged"


class ColourClassifier:
    """A fast classifier that predicts the colour of a frame."""

    class_names = tuple(COLOURS)
    digest = "colours"

    def predict(self, frames):
        colour = frames.mean(axis=(1, 2), dtype=np.float32)
        return FramePredictions(colour / colour.sum(axis=1, keepdims=True), colour[:, :2])


@pytest.fixture
def video_of(tmp_path):
    def write(*colours):
        """Save frames of the named colours."""
        for number, colour in enumerate(colours, start=1):
            file = tmp_path / f"{number}.jpg"
            if colour == DAMAGED:
                file.write_bytes(b"not an image")
            else:
                cv2.imwrite(str(file), np.full((16, 16, 3), COLOURS[colour][::-1], np.uint8))
        return FrameFolder(tmp_path)

    return write


def detect(video, **options):
    return detect_objects(video, ColourClassifier(), DetectionOptions(**options))


def frame_manifest_of(**videos):
    rows = [
        {"video_id": f"pets/{name}", "status": status, "error": error, "frames": 0, "fingerprint": "1"}
        for name, (status, error) in videos.items()
    ]
    table = pd.DataFrame(rows, columns=list(FrameManifest.to_schema().columns))
    return FrameManifest.validate(table.assign(shot_numbers="", times_s=""))


def test_a_video_has_detections_class_scores_an_embedding_and_its_number_of_frames(video_of):
    (detections, class_scores, embedding), properties = split_result(detect(video_of("tomato", "tomato", "frog")), 3)

    assert properties == {"frames": 3}
    assert detections["class_name"].tolist() == ["tomato", "tomato", "frog"]
    assert class_scores["class_name"].tolist() == ["tomato", "frog", "sky"]
    assert class_scores["probability"].sum() == pytest.approx(1)
    assert embedding["value"].to_numpy() == pytest.approx([460 / 3, 260 / 3], abs=3)


def test_a_damaged_frame_raises_a_video_error(video_of):
    with pytest.raises(VideoError, match=r"2\.jpg") as raised:
        detect(video_of("frog", DAMAGED))

    assert raised.value.status == "damaged"


def test_similar_frames_reuse_a_prediction_only_if_enabled(video_of):
    video = video_of("tomato", "frog")

    assert detect(video).detections["class_name"].tolist() == ["tomato", "frog"]
    assert detect(video, reuse_below=255).detections["class_name"].tolist() == ["tomato", "tomato"]


def test_the_manifest_lists_every_video_with_the_error_of_the_failed_stage(video_of):
    detections = Partitions.from_values(
        {"pets/cat": detect(video_of("tomato", "sky")).detections},
        {
            "pets/cat": PartitionState(properties={"frames": 2}),
            "pets/dog": PartitionState(status="damaged", error="1.jpg is not a readable image"),
        },
    )
    frame_manifest = frame_manifest_of(cat=("ok", ""), dog=("ok", ""), bat=("damaged", "no readable image"))

    manifest = summarise_detections(detections, frame_manifest).set_index("video_id")

    assert manifest["status"].to_dict() == {"pets/bat": "damaged", "pets/cat": "ok", "pets/dog": "damaged"}
    assert manifest["frames"].to_dict() == {"pets/bat": 0, "pets/cat": 2, "pets/dog": 0}
    assert manifest.loc["pets/bat", "error"] == "no readable image"
    assert "1.jpg" in manifest.loc["pets/dog", "error"]


def test_a_video_without_frames_is_listed_if_no_video_has_detections():
    manifest = summarise_detections(Partitions(), frame_manifest_of(bat=("damaged", "no image")))

    assert manifest["video_id"].tolist() == ["pets/bat"]


def test_without_videos_the_manifest_is_empty_and_valid():
    assert DetectionManifest.validate(summarise_detections(Partitions(), frame_manifest_of())).empty
