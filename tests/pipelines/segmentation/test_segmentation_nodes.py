import pandas as pd
import pytest
from coloured_images import image_of

from video_recommender.incremental.per_partition import split_result
from video_recommender.media.video import VideoError
from video_recommender.networks.object_segmenter import SegmentationOptions
from video_recommender.pipelines.segmentation.nodes import (
    build_object_segmenter,
    draw_segmentation_overlays,
    identify_segmentation_model,
    read_segmented_classes,
    segment_objects,
    summarise_segmentations,
)
from video_recommender.schemas import FrameManifest, Segmentations, SegmentationScores
from video_recommender.storage.partitions import Partitions, PartitionState


@pytest.fixture
def frames(folder_of):
    """Videos of a cat and of a dog."""
    return Partitions.from_values(
        {
            "pets/rex": folder_of(image_of(dog=250), image_of(dog=240), name="rex"),
            "pets/tom": folder_of(image_of(cat=250), name="tom"),
        }
    )


@pytest.fixture
def segmentations(frames, segmenter):
    """Segmentations of both videos, and a third video that failed."""
    videos = {video_id: segment_objects(load(), segmenter) for video_id, load in frames.items()}
    states = {video_id: PartitionState(properties=video.properties) for video_id, video in videos.items()}
    failed = PartitionState(status="damaged", error="1.jpg is not a readable image")
    return Partitions.from_values(
        {video_id: video.segmentations for video_id, video in videos.items()}, {**states, "pets/torn": failed}
    )


def test_a_video_has_parquet_and_csv_tables_scores_and_properties(frames, segmenter):
    (table, table_for_csv, scores), properties = split_result(segment_objects(frames.load("pets/rex"), segmenter), 3)

    assert Segmentations.validate(table)["class_name"].tolist() == ["dog", "dog"]
    assert table_for_csv.equals(table)
    assert SegmentationScores.validate(scores)["class_name"].tolist() == ["dog"]
    assert properties == {"frames": 2, "expected_objects": pytest.approx(0.96, abs=0.01)}


def test_a_damaged_frame_raises_a_video_error(folder_of, segmenter):
    video = folder_of(image_of())
    video.files[0].write_bytes(b"not an image")

    with pytest.raises(VideoError, match="is not a readable") as raised:
        segment_objects(video, segmenter)

    assert raised.value.status == "damaged"


def test_the_manifest_lists_every_video(segmentations):
    rows = [
        {"video_id": "pets/gone", "status": "unreadable", "error": "It is not a video", "frames": 0, "fingerprint": "1"}
    ]
    failed = pd.DataFrame(rows, columns=list(FrameManifest.to_schema().columns)).assign(shot_numbers="", times_s="")

    manifest = summarise_segmentations(segmentations, FrameManifest.validate(failed)).set_index("video_id")

    assert manifest["status"].to_dict() == {
        "pets/gone": "unreadable",
        "pets/rex": "ok",
        "pets/tom": "ok",
        "pets/torn": "damaged",
    }
    assert manifest["frames"].to_dict()["pets/rex"] == 2


def test_the_video_with_most_objects_is_drawn_unless_videos_are_selected(frames, segmentations, segmenter):
    def drawn(*overlays):
        figure = draw_segmentation_overlays(frames, segmentations, segmenter, SegmentationOptions(overlays=overlays))
        return [note.text for note in figure.layout.annotations]

    assert drawn() == ["pets/tom"], "the more confident of the two"
    assert drawn("pets/tom", "pets/rex") == ["pets/tom", "pets/rex"]
    with pytest.raises(ValueError, match=r"videos without segmentation \(pets/torn\)"):
        drawn("pets/torn")


def test_grouped_classes_are_listed_and_embedded(coco_detector, monkeypatch):
    monkeypatch.setattr(
        "video_recommender.pipelines.segmentation.nodes.run_in_subprocess", lambda _convert: coco_detector
    )
    options = SegmentationOptions(groups={"pet": ("cat", "dog")}, keep_others=False, class_confidence={"pet": 0.2})

    segmenter = build_object_segmenter({}, options)

    assert segmenter.class_names == {17: "pet", 18: "pet"}
    assert segmenter.thresholds == {17: 0.2, 18: 0.2}
    assert read_segmented_classes(segmenter).index.tolist() == ["pet"]
    with pytest.raises(ValueError, match="class_confidence contains classes unknown to the model: hamster"):
        build_object_segmenter({}, SegmentationOptions(class_confidence={"hamster": 0.2}))


def test_each_class_has_the_selected_threshold_or_the_measured_one(coco_detector, monkeypatch):
    monkeypatch.setattr(
        "video_recommender.pipelines.segmentation.nodes.run_in_subprocess", lambda _convert: coco_detector
    )
    cup, zebra = 47, 24

    def thresholds(**options):
        found = build_object_segmenter({}, SegmentationOptions(**options)).thresholds
        return found[cup], found[zebra]

    assert thresholds() == (0.15, 0.3)
    assert thresholds(confidence=0.6) == (0.6, 0.6)
    assert thresholds(class_confidence={"cup": 0.8}) == (0.8, 0.3)
    assert thresholds(groups={"vessel": ("cup", "bowl")}) == (0.15, 0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"labels": "labels.pbtxt"}, "set segmentation.model too"), ({"keep_others": False}, "drops all classes")],
)
def test_contradictory_options_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        SegmentationOptions(**options)


def test_only_the_files_of_a_users_model_have_digests(tmp_path):
    (tmp_path / "graph.pb").write_bytes(b"weights")

    assert identify_segmentation_model(SegmentationOptions()) == {}
    assert identify_segmentation_model(SegmentationOptions(model=str(tmp_path / "graph.pb"))).keys() == {"model"}


def test_a_folder_without_a_model_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="is not a model"):
        build_object_segmenter({}, SegmentationOptions(model=str(tmp_path)))
