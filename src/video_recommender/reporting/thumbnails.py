"""Thumbnails (the middle frames of videos as JPEG) and contact sheets (rows of captioned frames in one image)."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

import cv2
import pandas as pd
from pandera.typing import DataFrame
from PIL import Image

from video_recommender.media.frames import FrameFolder, RgbImage
from video_recommender.media.video import VideoError
from video_recommender.reporting.examples import CategoryOverview
from video_recommender.schemas import Detections, Recommendations
from video_recommender.storage.partitions import Partitions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EMBEDDED_SIDE: Final = 112
"""Longer side of thumbnails in reports and notebooks, in pixels; a thumbnail takes about 4 kB."""
JPEG_QUALITY: Final = 80

SAME_CATEGORY: Final = "tab:green"
OTHER_CATEGORY: Final = "tab:red"

DOTS_PER_INCH: Final = 110
PICTURE_INCHES: Final = 1.3
CAPTION_INCHES: Final = 0.42
NAME_INCHES: Final = 1.3
GAP_INCHES: Final = 0.06
BORDER_POINTS: Final = 3


@dataclass(frozen=True)
class CaptionedImage:
    """An image of a sheet: its caption of at most two lines, and the Matplotlib colour of its border, if any."""

    image: RgbImage
    caption: str = ""
    colour: str = ""


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet: its label and its images, from left to right."""

    name: str
    images: tuple[CaptionedImage, ...]


def middle_frame(frames: int) -> int:
    """Compute the number of the middle frame, counted from 1."""
    return frames // 2 + 1


def middle_image(folder: FrameFolder) -> RgbImage:
    """Read the middle frame, uint8 RGB of shape (height, width, 3); raise a `VideoError` if it is unreadable."""
    frames = len(folder.files)
    if not frames:
        raise VideoError("damaged", f"{folder.path} contains no frames: delete it and run preprocessing again")
    images = folder.images(step=max(1, middle_frame(frames) - 1))
    first = next(images)
    return next(images, first)


def encode_thumbnail(image: RgbImage, longest_side: int) -> bytes:
    """Encode an image as JPEG, scaled down to a longer side of at most `longest_side` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, longest_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()


def image_uri(image: RgbImage) -> str:
    """Encode a thumbnail of an image as a `data:` URI (RFC 2397)."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode_thumbnail(image, EMBEDDED_SIDE)).decode()}"


def thumbnail_uri(folder: FrameFolder) -> str:
    """Encode a thumbnail of the middle frame of a video as a `data:` URI; raise a `VideoError` if it is unreadable."""
    return image_uri(middle_image(folder))


def rows_of_frames(
    categories: Iterable[CategoryOverview],
    frames: Partitions[FrameFolder],
    detections: Partitions[DataFrame[Detections]] | None = None,
) -> list[SheetRow]:
    """Build one row per category with the middle frame of each example.

    The caption is the name of the video or, with `detections`, the detection; examples without detections are skipped.
    """
    rows = []
    for category in categories:
        videos = [video for video in category.examples if detections is None or video in detections]
        captions = [
            _slug(video) if detections is None else _middle_detection(detections.load(video)) for video in videos
        ]
        images = [middle_image(frames.load(video)) for video in videos]
        rows.append(SheetRow(category.name, tuple(map(CaptionedImage, images, captions))))
    return rows


def rows_of_neighbours(
    recommendations: DataFrame[Recommendations], category: pd.Series, frames: Partitions[FrameFolder]
) -> list[SheetRow]:
    """Build one row per category with its first video and the neighbours of this video.

    `category` is indexed by `video_id`. A green border marks neighbours of the same category, a red border the others.
    """
    known = recommendations[recommendations["video_id"].isin(category.dropna().index)]
    queries = known.groupby(known["video_id"].map(category))["video_id"].min()
    rows = []
    for name, query in queries.items():
        images = [CaptionedImage(middle_image(frames.load(query)), _slug(query))]
        for neighbour in known[known["video_id"] == query].sort_values("rank").itertuples():
            video, shared = str(neighbour.recommended_video_id), str(neighbour.shared_objects).split(", ")[0]
            caption = f"{neighbour.rank}. {_slug(video)}, {neighbour.similarity:.2f}\n{shared}"
            colour = SAME_CATEGORY if category.get(video) == name else OTHER_CATEGORY
            images.append(CaptionedImage(middle_image(frames.load(video)), caption, colour))
        rows.append(SheetRow(str(name), tuple(images)))
    return rows


def draw_sheet(rows: Sequence[SheetRow]) -> Image.Image:
    """Draw rows of images, which may differ in length, as one RGB image; without rows, draw a placeholder."""
    png = BytesIO()
    _figure(rows).savefig(png, format="png")
    return Image.open(png).convert("RGB")


def _figure(rows: Sequence[SheetRow]) -> "Figure":
    from matplotlib.figure import Figure  # deferred because every run imports the nodes and Matplotlib loads slowly

    columns = max((len(row.images) for row in rows), default=0)
    if not columns:
        sheet = Figure(figsize=(4, 1), dpi=DOTS_PER_INCH)
        sheet.text(0.5, 0.5, "No videos", ha="center", va="center")
        return sheet
    column_inches, row_inches = PICTURE_INCHES + GAP_INCHES, PICTURE_INCHES + CAPTION_INCHES
    width, height = NAME_INCHES + columns * column_inches, GAP_INCHES + len(rows) * row_inches
    sheet = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    for number, row in enumerate(rows):
        top = height - GAP_INCHES - number * row_inches
        middle = (top - PICTURE_INCHES / 2) / height
        sheet.text(0.08 / width, middle, row.name, va="center", fontweight="bold", fontsize=9, parse_math=False)
        for column, captioned in enumerate(row.images):
            left = NAME_INCHES + column * column_inches
            box = (left / width, (top - PICTURE_INCHES) / height, PICTURE_INCHES / width, PICTURE_INCHES / height)
            _draw_image(sheet.add_axes(box), captioned)
    return sheet


def _draw_image(axes: "Axes", captioned: CaptionedImage) -> None:
    axes.imshow(captioned.image)
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
