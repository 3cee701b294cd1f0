from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from video_recommender.frame_folder import FrameFolder
from video_recommender.partitions import PartitionRecord, Partitions, StoredPartition
from video_recommender.pipelines.reporting.contact_sheets import CaptionedPicture, SheetRow, draw_sheet
from video_recommender.pipelines.reporting.nodes import (
    ReportingOptions,
    draw_detection_sheet,
    draw_frame_sheet,
    draw_neighbour_sheet,
)


@pytest.fixture
def manifest(corpus: pd.DataFrame) -> pd.DataFrame:
    return corpus[["video_id", "category", "group"]].assign(status="ok", error="", frames=3)


def captions(sheet: Figure) -> list[str]:
    return [axes.get_xlabel() for axes in sheet.axes]


def test_a_row_per_category_shows_a_frame_of_each_group_before_the_second_of_any(
    manifest: pd.DataFrame, frames: Partitions[FrameFolder]
) -> None:
    sheet = draw_frame_sheet(manifest, manifest, frames, ReportingOptions(examples=2))

    assert [text.get_text() for text in sheet.texts] == ["cats", "dogs"]
    assert captions(sheet) == ["a", "c", "a", "b"]


def test_each_frame_is_shown_with_what_the_network_took_that_frame_for(
    manifest: pd.DataFrame, frames: Partitions[FrameFolder]
) -> None:
    table = pd.DataFrame({"frame": [1, 2, 3], "class_name": ["tabby", "lynx", "pug"], "confidence": [0.5, 0.25, 0.125]})
    detections = Partitions({"cats/a": StoredPartition(PartitionRecord("made"), lambda: table)})

    sheet = draw_detection_sheet(manifest, manifest, frames, detections, ReportingOptions())

    assert captions(sheet) == ["lynx\n0.25"]
    (shown,) = sheet.axes[0].get_images()
    assert np.abs(np.asarray(shown.get_array()).astype(int) - 2).max() <= 1  # the second frame's grey


def test_a_neighbour_of_another_category_stands_in_red(
    corpus: pd.DataFrame, recommendations: pd.DataFrame, frames: Partitions[FrameFolder]
) -> None:
    recommendations = recommendations.replace({"recommended_video_id": {"cats/c": "dogs/c"}})

    sheet = draw_neighbour_sheet(recommendations, corpus, frames)

    assert captions(sheet)[:3] == ["a", "1. b, 0.90\ntabby", "2. c, 0.80\n"]
    edges = [axes.spines["left"].get_edgecolor() for axes in sheet.axes]
    assert same_color(edges[1], "tab:green")
    assert same_color(edges[2], "tab:red")


def test_names_are_shown_as_they_are() -> None:
    picture = CaptionedPicture(np.zeros((4, 4, 3), np.uint8), "$5 and $6_a")

    sheet = draw_sheet([SheetRow("música $x$", (picture, replace(picture, caption="ñ")))])
    sheet.canvas.draw()

    assert [text.get_text() for text in sheet.texts] == ["música $x$"]
    assert captions(sheet) == ["$5 and $6_a", "ñ"]


def test_a_corpus_without_videos_has_a_sheet_that_says_so() -> None:
    (text,) = draw_sheet([]).texts

    assert "No video" in text.get_text()
