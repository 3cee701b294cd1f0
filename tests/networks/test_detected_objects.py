import numpy as np
import pytest

from video_recommender.networks.detected_objects import DetectedObjects, box_containment, box_iou, hysteresis_threshold

CAT, DOG = 17, 18
HERE, NEAR, ELSEWHERE = (0.1, 0.1, 0.5, 0.5), (0.12, 0.12, 0.52, 0.52), (0.6, 0.6, 0.9, 0.9)


def found(*objects):
    """Detected objects from (class, score, box)."""
    return DetectedObjects(
        np.array([box for *_, box in objects], np.float32).reshape(-1, 4),
        np.array([number for number, *_ in objects], np.int64),
        np.array([score for _, score, _ in objects], np.float32),
    )


def accepted(*frames, low_ratio=0.5):
    kept = hysteresis_threshold(frames, {CAT: 0.5, DOG: 0.5}, low_ratio)
    return [rows.tolist() for rows in kept]


def test_acceptance_propagates_in_both_directions():
    weak, strong = found((CAT, 0.3, NEAR)), found((CAT, 0.8, HERE))

    assert accepted(weak, weak, strong, weak, weak) == [[True]] * 5


def test_acceptance_ends_at_a_frame_without_the_object():
    weak, strong = found((CAT, 0.3, HERE)), found((CAT, 0.8, HERE))

    assert accepted(strong, found(), weak) == [[True], [], [False]]


@pytest.mark.parametrize("other", [(DOG, 0.3, HERE), (CAT, 0.3, ELSEWHERE), (CAT, 0.2, HERE)])
def test_another_class_or_box_or_a_lower_score_is_rejected(other):
    assert accepted(found((CAT, 0.8, HERE)), found(other)) == [[True], [False]]


def test_an_object_with_several_uncertain_boxes_counts_once():
    twice = found((CAT, 0.45, HERE), (CAT, 0.4, NEAR))
    with_strong = found((CAT, 0.8, HERE), (CAT, 0.4, NEAR))

    assert accepted(found((CAT, 0.8, HERE)), twice) == [[True], [True, False]]
    assert accepted(found((CAT, 0.8, HERE)), with_strong) == [[True], [True, False]]


def test_an_uncertain_box_inside_a_more_confident_box_of_its_class_is_rejected():
    inside, apart = (0.2, 0.2, 0.4, 0.3), (0.35, 0.35, 0.8, 0.8)
    objects = found((CAT, 0.9, HERE), (CAT, 0.8, inside), (CAT, 0.45, inside), (DOG, 0.45, inside), (CAT, 0.45, apart))

    (kept,) = hysteresis_threshold([objects], {CAT: 0.4, DOG: 0.4}, 1.0)

    assert kept.tolist() == [True, True, False, True, True]


def test_a_class_without_a_threshold_is_never_accepted():
    assert [rows.tolist() for rows in hysteresis_threshold([found((1, 0.99, HERE))], {CAT: 0.5}, 0.5)] == [[False]]


def test_iou_and_containment_of_boxes():
    boxes = np.array([[0, 0, 2, 2]], np.float32)
    others = np.array([[0, 0, 2, 2], [0, 1, 2, 3], [5, 5, 6, 6], [1, 1, 1, 1]], np.float32)

    assert box_iou(boxes, others).tolist() == [pytest.approx([1, 1 / 3, 0, 0])]
    assert box_containment(boxes, others).tolist() == [pytest.approx([1, 1 / 2, 0, 0])]
