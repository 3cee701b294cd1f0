"""Contact sheets: rows of captioned frames, drawn as one image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

import pandas as pd
from pandera.typing import DataFrame
from PIL import Image

from video_recommender.media.frames import FrameFolder, Picture
from video_recommender.reporting.examples import CategoryOverview
from video_recommender.reporting.thumbnails import middle_frame, middle_picture
from video_recommender.schemas import Detections, Recommendations
from video_recommender.storage.partitions import Partitions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAME_CATEGORY: Final = "tab:green"
OTHER_CATEGORY: Final = "tab:red"

DOTS_PER_INCH: Final = 110
PICTURE_INCHES: Final = 1.3
CAPTION_INCHES: Final = 0.42
NAME_INCHES: Final = 1.3
GAP_INCHES: Final = 0.06
BORDER_POINTS: Final = 3


@dataclass(frozen=True)
class CaptionedPicture:
    """One picture of a sheet: a caption of at most two lines, and the Matplotlib colour of its border if it has one."""

    picture: Picture
    caption: str = ""
    colour: str = ""


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet: its label and its pictures, from left to right."""

    name: str
    pictures: tuple[CaptionedPicture, ...]


def rows_of_frames(
    categories: Iterable[CategoryOverview],
    frames: Partitions[FrameFolder],
    detections: Partitions[DataFrame[Detections]] | None = None,
) -> list[SheetRow]:
    """Build a row per category with the middle frame of each example: of each that has detections, if these are given.

    The caption is the name of the video, or the detection.
    """
    rows = []
    for category in categories:
        pictures = []
        for video in category.examples:
            if detections is None:
                pictures.append(CaptionedPicture(middle_picture(frames.load(video)), _slug(video)))
            elif video in detections:
                caption = _middle_detection(detections.load(video))
                pictures.append(CaptionedPicture(middle_picture(frames.load(video)), caption))
        rows.append(SheetRow(category.name, tuple(pictures)))
    return rows


def rows_of_neighbours(
    recommendations: DataFrame[Recommendations], category: pd.Series, frames: Partitions[FrameFolder]
) -> list[SheetRow]:
    """Build a row per category with its first video, followed by the neighbours of that video.

    Args:
        recommendations: the nearest videos of each.
        category: by `video_id`; a green border marks neighbours of the same category, a red one the others.
        frames: of the videos.
    """
    known = recommendations[recommendations["video_id"].isin(category.dropna().index)]
    queries = known.groupby(known["video_id"].map(category))["video_id"].min()
    rows = []
    for name, query in queries.items():
        pictures = [CaptionedPicture(middle_picture(frames.load(query)), _slug(query))]
        for neighbour in known[known["video_id"] == query].sort_values("rank").itertuples():
            video, shared = str(neighbour.recommended_video_id), str(neighbour.shared_objects).split(", ")[0]
            caption = f"{neighbour.rank}. {_slug(video)}, {neighbour.similarity:.2f}\n{shared}"
            colour = SAME_CATEGORY if category.get(video) == name else OTHER_CATEGORY
            pictures.append(CaptionedPicture(middle_picture(frames.load(video)), caption, colour))
        rows.append(SheetRow(str(name), tuple(pictures)))
    return rows


def draw_sheet(rows: Sequence[SheetRow]) -> Image.Image:
    """Draw rows of pictures, which may differ in length, as one RGB image; without rows, a note that there are none."""
    png = BytesIO()
    _figure(rows).savefig(png, format="png")
    return Image.open(png).convert("RGB")


def _figure(rows: Sequence[SheetRow]) -> "Figure":
    from matplotlib.figure import Figure  # slow to import, and every run imports the nodes

    columns = max((len(row.pictures) for row in rows), default=0)
    if not columns:
        sheet = Figure(figsize=(4, 1), dpi=DOTS_PER_INCH)
        sheet.text(0.5, 0.5, "No video to show", ha="center", va="center")
        return sheet
    column_inches, row_inches = PICTURE_INCHES + GAP_INCHES, PICTURE_INCHES + CAPTION_INCHES
    width, height = NAME_INCHES + columns * column_inches, GAP_INCHES + len(rows) * row_inches
    sheet = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    for number, row in enumerate(rows):
        top = height - GAP_INCHES - number * row_inches
        middle = (top - PICTURE_INCHES / 2) / height
        sheet.text(0.08 / width, middle, row.name, va="center", fontweight="bold", fontsize=9, parse_math=False)
        for column, captioned in enumerate(row.pictures):
            left = NAME_INCHES + column * column_inches
            box = (left / width, (top - PICTURE_INCHES) / height, PICTURE_INCHES / width, PICTURE_INCHES / height)
            _draw_picture(sheet.add_axes(box), captioned)
    return sheet


def _draw_picture(axes: "Axes", captioned: CaptionedPicture) -> None:
    axes.imshow(captioned.picture)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set(visible=bool(captioned.colour), color=captioned.colour or "none", linewidth=BORDER_POINTS)
    axes.set_xlabel(captioned.caption, fontsize=6.5, labelpad=3, parse_math=False)


def _slug(video_id: str) -> str:
    return video_id.rpartition("/")[2]


def _middle_detection(detections: pd.DataFrame) -> str:
    row = detections.set_index("frame").loc[middle_frame(len(detections))]
    return f"{row['class_name']}\n{row['confidence']:.2f}"
