"""Contact sheets: rows of captioned frames."""

from dataclasses import replace

import numpy as np
import pandas as pd

from video_recommender.media.frames import FrameFolder
from video_recommender.reporting.examples import CategoryOverview
from video_recommender.reporting.thumbnails import (
    OTHER_CATEGORY,
    SAME_CATEGORY,
    CaptionedImage,
    SheetRow,
    draw_sheet,
    rows_of_frames,
    rows_of_neighbours,
)
from video_recommender.storage.partitions import Partitions

RED = np.full((40, 60, 3), (255, 0, 0), np.uint8)


def test_captions_show_the_detections_of_frames(frames: Partitions[FrameFolder]) -> None:
    table = pd.DataFrame({"frame": [1, 2, 3], "class_name": ["tabby", "lynx", "pug"], "confidence": [0.5, 0.25, 0.125]})
    detections = Partitions.from_values({"cats/a": table})
    cats = CategoryOverview("cats", 2, 2, 6, ("cats/a", "cats/b"))

    (row,) = rows_of_frames([cats], frames, detections)

    assert [shown.caption for shown in row.images] == ["lynx\n0.25"]
    assert abs(int(row.images[0].image.mean()) - 2) <= 1  # the grey of the second frame


def test_a_neighbour_of_another_category_has_a_red_border(
    corpus: pd.DataFrame, recommendations: pd.DataFrame, frames: Partitions[FrameFolder]
) -> None:
    recommendations = recommendations.replace({"recommended_video_id": {"cats/c": "dogs/c"}})

    cats, dogs = rows_of_neighbours(recommendations, corpus.set_index("video_id")["category"], frames)

    assert (cats.name, dogs.name) == ("cats", "dogs")
    assert [shown.caption for shown in cats.images] == ["a", "1. b, 0.90\ntabby", "2. c, 0.80\n"]
    assert [shown.colour for shown in cats.images] == ["", SAME_CATEGORY, OTHER_CATEGORY]


def test_a_sheet_grows_with_its_rows_and_shows_every_image() -> None:
    one = draw_sheet([SheetRow("a", (CaptionedImage(RED, "$5 and $6_a", SAME_CATEGORY),))])
    four = draw_sheet([SheetRow("música $x$", (CaptionedImage(RED), CaptionedImage(RED)))] * 2)

    assert four.width > one.width
    assert four.height > 1.9 * one.height
    assert 3.9 < red_pixels(four) / red_pixels(one) < 4.5  # the border covers part of the image


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = [SheetRow("a", (CaptionedImage(RED, "b"), replace(CaptionedImage(RED), caption="ñ")))]

    assert draw_sheet(rows).tobytes() == draw_sheet(rows).tobytes()


def red_pixels(sheet: object) -> int:
    return int((np.asarray(sheet) == (255, 0, 0)).all(axis=-1).sum())
