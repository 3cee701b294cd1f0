import base64

import cv2
import numpy as np
import pytest
from coloured_images import image_of
from skimage import data

from video_recommender.networks.detected_objects import DetectedObjects
from video_recommender.networks.object_masks import (
    FRAME_SIDE,
    Box,
    class_colour,
    draw_strip,
    likely_pixels,
    mask_objects,
    overlay_figure,
    pixel_boxes,
)


def objects(*boxes, masks=None):
    count = len(boxes)
    return DetectedObjects(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, np.int64), np.ones(count, np.float32), masks
    )


@pytest.fixture
def disc():
    """A red disc of radius 30 pixels on a blue background, and its mask."""
    rows, columns = np.mgrid[:100, :120]
    is_disc = (rows - 50) ** 2 + (columns - 60) ** 2 < 30**2
    image = np.where(is_disc[..., np.newaxis], [200, 30, 30], [30, 30, 200]).astype(np.uint8)
    return image, is_disc


def test_pixels_that_differ_in_colour_from_the_background_belong_to_the_object(disc):
    image, is_disc = disc
    box = Box(18, 28, 82, 92)

    mask = likely_pixels(image, box)

    truth = is_disc[box.inside]
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_the_mask_of_a_cup_is_more_accurate_than_its_box():
    image = cv2.resize(data.coffee(), (300, 200), interpolation=cv2.INTER_AREA)
    truth = np.zeros((200, 300), np.uint8)
    cv2.ellipse(truth, (150, 110), (74, 70), 0, 0, 360, 1, -1)
    rows, columns = np.nonzero(truth)
    box = Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)

    mask = likely_pixels(image, box)

    share = truth[box.inside].mean()
    assert abs(mask.mean() - share) < abs(1 - share)


@pytest.mark.parametrize("colour", [0, 128])
def test_without_colour_contrast_the_mask_covers_the_centre_of_the_box(colour):
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


def test_masks_of_boxes_are_resized_into_the_image(disc):
    predicted = np.zeros((1, 33, 33), np.float32)
    predicted[0, :, :16] = 0.9

    masks = mask_objects(disc[0], objects((0.0, 0.0, 0.5, 0.5), masks=predicted), "boxes")

    assert masks[0, :50, :28].all()
    assert not masks[0, :50, 31:].any()
    assert not masks[0, 50:].any()


def test_masks_of_the_whole_image_are_only_thresholded(disc):
    masks = mask_objects(disc[0], objects((0, 0, 1, 1), masks=disc[1][np.newaxis].astype(np.float32)), "likely")

    assert np.array_equal(masks[0], disc[1])


def test_without_objects_there_are_no_masks(disc):
    assert mask_objects(disc[0], objects(), "likely").shape == (0, 100, 120)


def test_an_empty_box_becomes_one_pixel():
    assert pixel_boxes(objects((1.0, 1.0, 1.0, 1.0)), 10, 20) == [Box(9, 19, 10, 20)]


def test_a_box_and_its_mask_are_drawn_in_the_colour_of_the_class(folder_of, segmenter):
    strip = draw_strip(segmenter.segment(folder_of(image_of(dog=250))))

    scale = FRAME_SIDE / 100
    edge = strip[round(70 * scale), round(40 * scale)]
    middle = strip[round(70 * scale), round(65 * scale)]
    assert edge.tolist() == list(class_colour("dog"))
    assert np.abs(middle.astype(int) - (0.55 * np.array([0, 250, 0]) + 0.45 * np.array(class_colour("dog")))).max() < 12


def test_a_strip_shows_the_first_frames_side_by_side(folder_of, segmenter):
    one = draw_strip(segmenter.segment(folder_of(image_of(cat=250), name="one")))
    nine = draw_strip(segmenter.segment(folder_of(*[image_of(cat=250)] * 9, name="nine")))

    assert one.shape == (FRAME_SIDE, FRAME_SIDE, 3)
    assert nine.shape[1] == pytest.approx(5 * FRAME_SIDE, abs=20)


def test_the_figure_has_a_strip_per_video_with_its_name(folder_of, segmenter):
    videos = {f"pets/{name}": segmenter.segment(folder_of(image_of(cat=250), name=name)) for name in ("rex", "tom")}

    figure = overlay_figure(videos)

    assert [note.text for note in figure.layout.annotations] == ["pets/rex", "pets/tom"]
    jpeg = base64.b64decode(figure.data[0].source.split(",")[1])
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).shape == (FRAME_SIDE, FRAME_SIDE, 3)


def test_without_videos_the_figure_has_an_explanatory_title():
    assert "No objects" in overlay_figure({}).layout.title.text
