import cv2
import numpy as np
import pytest
from skimage import data

from video_recommender.networks.detected_objects import DetectedObjects
from video_recommender.networks.object_masks import Box, likely_pixels, mask_objects, pixel_boxes


def objects(*boxes, masks=None):
    count = len(boxes)
    return DetectedObjects(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, np.int64), np.ones(count, np.float32), masks
    )


@pytest.fixture
def disc():
    """A red disc of radius 30 on a blue ground, and its pixels."""
    rows, columns = np.mgrid[:100, :120]
    is_disc = (rows - 50) ** 2 + (columns - 60) ** 2 < 30**2
    picture = np.where(is_disc[..., np.newaxis], [200, 30, 30], [30, 30, 200]).astype(np.uint8)
    return picture, is_disc


def test_pixels_that_differ_in_colour_from_the_surroundings_are_the_objects(disc):
    picture, is_disc = disc
    box = Box(18, 28, 82, 92)

    mask = likely_pixels(picture, box)

    truth = is_disc[box.inside]
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_a_mask_of_a_real_cup_covers_it_better_than_its_box():
    picture = cv2.resize(data.coffee(), (300, 200), interpolation=cv2.INTER_AREA)
    truth = np.zeros((200, 300), np.uint8)
    cv2.ellipse(truth, (150, 110), (74, 70), 0, 0, 360, 1, -1)
    rows, columns = np.nonzero(truth)
    box = Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)

    mask = likely_pixels(picture, box)

    share = truth[box.inside].mean()
    assert abs(mask.mean() - share) < abs(1 - share)


@pytest.mark.parametrize("colour", [0, 128])
def test_an_object_that_looks_like_its_surroundings_covers_the_middle_of_its_box(colour):
    mask = likely_pixels(np.full((90, 90, 3), colour, np.uint8), Box(10, 20, 70, 80))

    assert mask.shape == (60, 60)
    assert 0.3 <= mask.mean() <= 0.72
    assert mask[30, 30]
    assert not mask[0, 0]


@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(0, 0, 3, 60), Box(0, 0, 100, 120), Box(97, 1, 100, 2)])
def test_boxes_of_any_size_and_at_any_edge_have_a_mask(disc, box):
    assert likely_pixels(disc[0], box).shape == (box.bottom - box.top, box.right - box.left)


def test_a_mask_can_be_the_whole_box(disc):
    masks = mask_objects(disc[0], objects((0.1, 0.5, 0.6, 1.0)), "boxes")

    assert masks.shape == (1, 100, 120)
    assert masks[0, 10:60, 60:].all()
    assert masks.sum() == 50 * 60


def test_masks_of_boxes_are_resized_into_the_picture(disc):
    told = np.zeros((1, 33, 33), np.float32)
    told[0, :, :16] = 0.9

    masks = mask_objects(disc[0], objects((0.0, 0.0, 0.5, 0.5), masks=told), "boxes")

    assert masks[0, :50, :28].all()
    assert not masks[0, :50, 31:].any()
    assert not masks[0, 50:].any()


def test_masks_of_the_whole_picture_are_only_thresholded(disc):
    masks = mask_objects(disc[0], objects((0, 0, 1, 1), masks=disc[1][np.newaxis].astype(np.float32)), "likely")

    assert np.array_equal(masks[0], disc[1])


def test_no_objects_have_no_masks(disc):
    assert mask_objects(disc[0], objects(), "likely").shape == (0, 100, 120)


def test_an_empty_box_becomes_one_pixel():
    assert pixel_boxes(objects((1.0, 1.0, 1.0, 1.0)), 10, 20) == [Box(9, 19, 10, 20)]
