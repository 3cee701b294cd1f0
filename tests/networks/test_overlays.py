import base64

import cv2
import numpy as np
import pytest
from coloured_pictures import picture_of

from video_recommender.networks.overlays import FRAME_SIDE, class_colour, draw_strip, overlay_figure


def test_a_box_and_its_mask_are_drawn_in_the_colour_of_the_class(folder_of, segmenter):
    strip = draw_strip(segmenter.segment(folder_of(picture_of(dog=250))))

    scale = FRAME_SIDE / 100
    edge = strip[round(70 * scale), round(40 * scale)]
    middle = strip[round(70 * scale), round(65 * scale)]
    assert edge.tolist() == list(class_colour("dog"))
    assert np.abs(middle.astype(int) - (0.55 * np.array([0, 250, 0]) + 0.45 * np.array(class_colour("dog")))).max() < 12


def test_a_strip_shows_the_first_frames_side_by_side(folder_of, segmenter):
    one = draw_strip(segmenter.segment(folder_of(picture_of(cat=250), name="one")))
    nine = draw_strip(segmenter.segment(folder_of(*[picture_of(cat=250)] * 9, name="nine")))

    assert one.shape == (FRAME_SIDE, FRAME_SIDE, 3)
    assert nine.shape[1] == pytest.approx(5 * FRAME_SIDE, abs=20)


def test_the_figure_has_a_strip_per_video_with_its_name(folder_of, segmenter):
    videos = {f"pets/{name}": segmenter.segment(folder_of(picture_of(cat=250), name=name)) for name in ("rex", "tom")}

    figure = overlay_figure(videos)

    assert [note.text for note in figure.layout.annotations] == ["pets/rex", "pets/tom"]
    jpeg = base64.b64decode(figure.data[0].source.split(",")[1])
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).shape == (FRAME_SIDE, FRAME_SIDE, 3)


def test_without_videos_the_figure_says_so():
    assert "No video" in overlay_figure({}).layout.title.text
