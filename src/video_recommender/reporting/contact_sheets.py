"""Contact sheets: pictures of videos in rows, with what was found out about each below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from PIL.Image import Image
from PIL.Image import open as open_picture

from video_recommender.media.frames import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH: Final = 110
PICTURE_INCHES: Final = 1.3
CAPTION_INCHES: Final = 0.42
NAME_INCHES: Final = 1.3
GAP_INCHES: Final = 0.06
FRAME_WIDTH: Final = 3
"""Of the coloured frame around a picture, points."""


@dataclass(frozen=True)
class CaptionedPicture:
    """One picture of a sheet.

    Attributes:
        picture: uint8 RGB, shape (height, width, 3).
        caption: what is said of it, at most two short lines.
        colour: of a frame around it, as Matplotlib names colours; empty for none.
    """

    picture: Picture
    caption: str = ""
    colour: str = ""


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet.

    Attributes:
        name: what its pictures have in common.
        pictures: from left to right.
    """

    name: str
    pictures: tuple[CaptionedPicture, ...]


def draw_sheet(rows: Sequence[SheetRow]) -> Image:
    """Draw pictures in rows; where there are none, say so.

    Args:
        rows: from top to bottom; they may be of different lengths.

    Returns:
        An RGB picture, as large as its pictures need.
    """
    drawn = BytesIO()
    _drawn(rows).savefig(drawn, format="png")
    return open_picture(drawn).convert("RGB")


def _drawn(rows: Sequence[SheetRow]) -> "Figure":
    from matplotlib.figure import Figure  # here, because every run imports the nodes

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
        for column, shown in enumerate(row.pictures):
            left = NAME_INCHES + column * column_inches
            place = (left / width, (top - PICTURE_INCHES) / height, PICTURE_INCHES / width, PICTURE_INCHES / height)
            _draw_picture(sheet.add_axes(place), shown)
    return sheet


def _draw_picture(axes: "Axes", shown: CaptionedPicture) -> None:
    axes.imshow(shown.picture)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set(visible=bool(shown.colour), color=shown.colour or "none", linewidth=FRAME_WIDTH)
    axes.set_xlabel(shown.caption, fontsize=6.5, labelpad=3, parse_math=False)
