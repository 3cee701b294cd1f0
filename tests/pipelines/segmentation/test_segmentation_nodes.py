import pandas as pd
import pytest
from coloured_pictures import picture_of, segmenter_of
from video_recommender.incremental.parallel import WorkerOptions

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
from video_recommender.storage.partitions import PartitionRecord, Partitions, StoredPartition

HERE = WorkerOptions(backend="sequential")
NOTHING = Partitions()


@pytest.fixture
def frames(folder_of):
    """A cat, a dog, and a folder whose frame is no picture."""
    folders = {
        "pets/rex": folder_of(picture_of(dog=250), picture_of(dog=240), name="rex"),
        "pets/tom": folder_of(picture_of(cat=250), name="tom"),
        "pets/torn": folder_of(picture_of(), name="torn"),
    }
    folders["pets/torn"].files[0].write_bytes(b"no picture")
    return Partitions(
        {
            video_id: StoredPartition(PartitionRecord(video_id), lambda folder=folder: folder)
            for video_id, folder in folders.items()
        }
    )


def segmented(frames, segmenter, stored=(NOTHING, NOTHING, NOTHING)):
    deletions, *updates = segment_objects(frames, *stored, segmenter, HERE)
    return [{name: new for update in updates for name, new in update[part].items()} for part in range(3)], deletions


def kept(made):
    return Partitions({name: StoredPartition(new.record, lambda new=new: new.content) for name, new in made.items()})


def test_each_video_has_its_tables_and_a_damaged_one_its_reason(frames, segmenter):
    (tables, texts, seen), _ = segmented(frames, segmenter)

    assert Segmentations.validate(tables["pets/rex"].content)["class_name"].tolist() == ["dog", "dog"]
    assert texts == tables
    assert SegmentationScores.validate(seen["pets/tom"].content)["class_name"].tolist() == ["cat"]
    assert tables["pets/rex"].record.details["frames"] == 2
    assert tables["pets/torn"].record.status == "damaged"
    assert tables["pets/torn"].content is None


def test_what_was_segmented_is_not_segmented_again_unless_something_has_changed(frames, segmenter):
    stored = tuple(kept(part) for part in segmented(frames, segmenter)[0])

    assert segmented(frames, segmenter, stored)[0][0].keys() == {"pets/torn"}, "what failed may pass"
    assert segmented(frames, segmenter_of(masks="likely"), stored)[0][0].keys() == frames.keys()


def test_the_manifest_has_every_video(frames, segmenter):
    (tables, *_), _ = segmented(frames, segmenter)
    rows = [
        {"video_id": "pets/gone", "status": "unreadable", "error": "It is no video", "frames": 0, "fingerprint": "1"}
    ]
    failed = pd.DataFrame(rows, columns=list(FrameManifest.to_schema().columns)).assign(shot_numbers="", times_s="")

    manifest = summarise_segmentations(kept(tables), FrameManifest.validate(failed)).set_index("video_id")

    assert manifest["status"].to_dict() == {
        "pets/gone": "unreadable",
        "pets/rex": "ok",
        "pets/tom": "ok",
        "pets/torn": "damaged",
    }
    assert manifest["frames"].to_dict()["pets/rex"] == 2


def test_the_video_that_shows_most_is_drawn_or_the_one_that_is_named(frames, segmenter):
    stored = kept(segmented(frames, segmenter)[0][0])

    def drawn(*overlays):
        figure = draw_segmentation_overlays(frames, stored, segmenter, SegmentationOptions(overlays=overlays))
        return [note.text for note in figure.layout.annotations]

    assert drawn() == ["pets/tom"], "the more certain of the two"
    assert drawn("pets/tom", "pets/rex") == ["pets/tom", "pets/rex"]
    with pytest.raises(ValueError, match="names pets/torn, which was not segmented"):
        drawn("pets/torn")


def test_a_new_list_of_classes_is_told_and_embedded(coco_detector, monkeypatch):
    monkeypatch.setattr(
        "video_recommender.pipelines.segmentation.nodes.run_in_subprocess", lambda _convert: coco_detector
    )
    options = SegmentationOptions(groups={"pet": ("cat", "dog")}, keep_others=False, class_confidence={"pet": 0.2})

    segmenter = build_object_segmenter({}, options)

    assert segmenter.class_names == {17: "pet", 18: "pet"}
    assert segmenter.thresholds == {17: 0.2, 18: 0.2}
    assert read_segmented_classes(segmenter).index.tolist() == ["pet"]
    with pytest.raises(ValueError, match="class_confidence names hamster"):
        build_object_segmenter({}, SegmentationOptions(class_confidence={"hamster": 0.2}))


def test_each_class_has_the_confidence_that_was_chosen_for_it_or_measured(coco_detector, monkeypatch):
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
    ("options", "why"),
    [({"labels": "labels.pbtxt"}, "set segmentation.model too"), ({"keep_others": False}, "leaves no class")],
)
def test_options_that_make_no_sense_are_told(options, why):
    with pytest.raises(ValueError, match=why):
        SegmentationOptions(**options)


def test_only_a_model_of_ones_own_has_files_that_may_change(tmp_path):
    (tmp_path / "graph.pb").write_bytes(b"weights")

    assert identify_segmentation_model(SegmentationOptions()) == {}
    assert identify_segmentation_model(SegmentationOptions(model=str(tmp_path / "graph.pb"))).keys() == {"model"}


def test_a_model_of_ones_own_is_named_by_its_path(tmp_path):
    with pytest.raises(ValueError, match="is no model"):
        build_object_segmenter({}, SegmentationOptions(model=str(tmp_path)))
