"""What contact sheets show: which pictures, and what is said of each."""

from collections.abc import Iterable

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.partitions import Partitions
from video_recommender.media.frames import FrameFolder
from video_recommender.reporting.contact_sheets import CaptionedPicture, SheetRow
from video_recommender.reporting.page import CategoryOverview
from video_recommender.reporting.thumbnails import middle_frame, middle_picture
from video_recommender.schemas import Detections, Recommendations

SAME, OTHER = "tab:green", "tab:red"
"""Colour of a neighbour's frame: of the same category, of another."""


def rows_of_frames(categories: Iterable[CategoryOverview], frames: Partitions[FrameFolder]) -> list[SheetRow]:
    """A row per category: one frame of each of its examples."""
    return [
        SheetRow(
            category.name,
            tuple(CaptionedPicture(middle_picture(frames[video].load()), _slug(video)) for video in category.examples),
        )
        for category in categories
    ]


def rows_of_detections(
    categories: Iterable[CategoryOverview],
    frames: Partitions[FrameFolder],
    detections: Partitions[DataFrame[Detections]],
) -> list[SheetRow]:
    """A row per category: one frame of each of its examples, with the object that it was taken for.

    Args:
        categories: with their examples; those that have no detections are left out.
        frames: of the videos.
        detections: those that can be loaded.
    """
    return [
        SheetRow(
            category.name,
            tuple(
                CaptionedPicture(middle_picture(frames[video].load()), _named(detections[video].load()))
                for video in category.examples
                if video in detections
            ),
        )
        for category in categories
    ]


def rows_of_neighbours(
    recommendations: DataFrame[Recommendations], category: pd.Series, frames: Partitions[FrameFolder]
) -> list[SheetRow]:
    """A row per category: its first video, then those that are recommended with it, the nearest first.

    Args:
        recommendations: the nearest videos of each.
        category: of each video, by `video_id`; the frame of a neighbour tells whether it is of the same.
        frames: of the videos.
    """
    known = recommendations[recommendations["video_id"].isin(category.dropna().index)]
    queries = known.groupby(known["video_id"].map(category))["video_id"].min()
    rows = []
    for name, query in queries.items():
        pictures = [CaptionedPicture(middle_picture(frames[query].load()), _slug(query))]
        for neighbour in known[known["video_id"] == query].sort_values("rank").itertuples():
            video, shared = str(neighbour.recommended_video_id), str(neighbour.shared_objects).split(", ")[0]
            caption = f"{neighbour.rank}. {_slug(video)}, {neighbour.similarity:.2f}\n{shared}"
            colour = SAME if category.get(video) == name else OTHER
            pictures.append(CaptionedPicture(middle_picture(frames[video].load()), caption, colour))
        rows.append(SheetRow(str(name), tuple(pictures)))
    return rows


def _slug(video_id: str) -> str:
    return video_id.rpartition("/")[2]


def _named(detections: pd.DataFrame) -> str:
    row = detections.set_index("frame").loc[middle_frame(len(detections))]
    return f"{row['class_name']}\n{row['confidence']:.2f}"
