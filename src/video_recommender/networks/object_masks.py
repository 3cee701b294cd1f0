"""Masks of the objects detected in a frame, and drawings of the objects."""

import base64
import colorsys
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots
from scipy.special import expit

from video_recommender.media.frames import RgbImage
from video_recommender.networks.detected_objects import DetectedObjects

Masks = NDArray[np.bool_]  # shape (objects, height, width)

MaskKind = Literal["likely", "boxes"]
"""Masks for detectors that return only boxes: `likely` estimates the mask in the box; `boxes` uses the whole box."""

MASK_THRESHOLD: Final = 0.5  # minimum probability of a pixel in a mask of the detector
WORKING_SIDE: Final = 64  # length of the longer side of a box for estimating its mask, pixels
MARGIN: Final = 0.15  # width of the border that samples the background, relative to the box
COLOUR_BINS: Final = 12  # per channel
SUPERELLIPSE_EXPONENT: Final = 2.2
"""Exponent of the prior shape of an object: 2 is an ellipse, and larger values approach the box."""

PRIOR_RADIUS: Final = 0.92  # normalised distance from the centre of the box at which the prior is 0.5
PRIOR_SLOPE: Final = 4.0
COLOUR_WEIGHT: Final = 1.5
MAX_LOG_RATIO: Final = 4.0
PSEUDOCOUNT: Final = 0.1  # per histogram bin, so that colours without samples are neutral
BOX_COVERAGE: Final = (0.3, 0.7)  # minimum and maximum share of its box that an object covers
FRAMES_PER_STRIP: Final = 5
FRAME_SIDE: Final = 320  # height of drawn frames, pixels; labels are legible at this height
OPACITY: Final = 0.45  # of drawn masks
GAP: Final = 4  # between drawn frames, pixels
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SIZE: Final = 0.45

Colour = tuple[int, int, int]


class Box(NamedTuple):
    """Edges of a box in pixels; `bottom` and `right` are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """Index of the pixels of the box in an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True)
class SegmentedFrame:
    """One frame with its objects, highest score first."""

    number: int  # of the frame (1-based)
    image: RgbImage
    objects: DetectedObjects  # accepted and rejected objects; the next attributes have the same order
    class_names: NDArray[np.object_]
    masks: Masks
    is_accepted: NDArray[np.bool_]  # see `hysteresis_threshold`

    @property
    def areas_pct(self) -> NDArray[np.float32]:
        """Share of the image that each object covers, in percent, float32, shape (objects,)."""
        return np.asarray(100 * self.masks.mean(axis=(1, 2)), np.float32)

    def accepted(self) -> "SegmentedFrame":
        """Return the frame with only its accepted objects."""
        rows = self.is_accepted
        objects = self.objects.select(rows)
        return SegmentedFrame(self.number, self.image, objects, self.class_names[rows], self.masks[rows], rows[rows])


def mask_objects(image: RgbImage, objects: DetectedObjects, kind: MaskKind) -> Masks:
    """Return the masks of the detector, or masks of the selected kind if the detector returns only boxes."""
    height, width = image.shape[:2]
    if objects.masks is not None and objects.masks.shape[1:] == (height, width):
        return objects.masks >= MASK_THRESHOLD
    masks = np.zeros((len(objects), height, width), bool)
    for row, box in enumerate(pixel_boxes(objects, height, width)):
        if objects.masks is not None:
            size = (box.right - box.left, box.bottom - box.top)
            masks[row][box.inside] = cv2.resize(objects.masks[row], size) >= MASK_THRESHOLD
        else:
            masks[row][box.inside] = kind == "boxes" or likely_pixels(image, box)
    return masks


def likely_pixels(image: RgbImage, box: Box) -> NDArray[np.bool_]:
    """Return a Boolean mask, shape (box height, box width), of the pixels that probably belong to the object in a box.

    The prior decreases with the distance from the centre of the box. The likelihood ratio is computed
    from the colour histograms of object and background (Possegger, Mauthner and Bischof, CVPR 2015, pp. 2113-2120).
    """
    around = _add_margin(box, image)
    scale = min(1.0, WORKING_SIDE / max(box.bottom - box.top, box.right - box.left))
    size = [max(1, round(scale * side)) for side in (around.right - around.left, around.bottom - around.top)]
    small = cv2.resize(image[around.inside], size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    vertical = _distance_from_centre(around.top, around.bottom, size[1], box.top, box.bottom)[:, np.newaxis]
    horizontal = _distance_from_centre(around.left, around.right, size[0], box.left, box.right)
    exponent = SUPERELLIPSE_EXPONENT
    prior = PRIOR_SLOPE * (PRIOR_RADIUS - (vertical**exponent + horizontal**exponent) ** (1 / exponent))
    is_in_box = np.maximum(vertical, horizontal) <= 1
    score = prior + COLOUR_WEIGHT * _colour_log_ratio(small, np.where(is_in_box, expit(prior), 0))
    large = cv2.resize(score, (around.right - around.left, around.bottom - around.top))
    scored = large[box.top - around.top :, box.left - around.left :][: box.bottom - box.top, : box.right - box.left]
    lowest, highest = np.quantile(scored, [1 - BOX_COVERAGE[1], 1 - BOX_COVERAGE[0]])
    return np.asarray(scored >= np.clip(0.0, lowest, highest))


def pixel_boxes(objects: DetectedObjects, height: int, width: int) -> list[Box]:
    """Convert boxes to pixels of an image of this size. Each box covers at least one pixel."""
    scale = np.array([height, width, height, width])
    edges = np.rint(objects.boxes * scale).astype(np.int64)
    edges[:, :2] = edges[:, :2].clip(0, scale[:2] - 1)
    edges[:, 2:] = np.maximum(edges[:, 2:], edges[:, :2] + 1)
    return [Box(*row) for row in edges.tolist()]


def draw_objects(frame: SegmentedFrame, height: int = FRAME_SIDE) -> RgbImage:
    """Resize a frame to a height in pixels and draw the objects into it, with the highest score on top."""
    scale = height / frame.image.shape[0]
    enlarged = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    drawn = enlarged.astype(np.uint8, copy=False)
    boxes = pixel_boxes(frame.objects, *drawn.shape[:2])
    colours = [class_colour(name) for name in frame.class_names]
    for row in reversed(range(len(frame.objects))):
        mask = cv2.resize(frame.masks[row].astype(np.uint8), drawn.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        drawn[mask > 0] = (1 - OPACITY) * drawn[mask > 0] + OPACITY * np.array(colours[row])
        top, left, bottom, right = boxes[row]
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colours[row], 2)
    for row in reversed(range(len(frame.objects))):
        label = f"{frame.class_names[row]} {frame.objects.scores[row]:.2f} {frame.areas_pct[row]:.0f}%"
        _draw_label(drawn, label, boxes[row], colours[row])
    return drawn


def draw_strip(frames: Iterable[SegmentedFrame]) -> RgbImage:
    """Draw the accepted objects of the first `FRAMES_PER_STRIP` frames side by side, `FRAME_SIDE` pixels high."""
    drawn = [draw_objects(frame.accepted()) for frame in islice(frames, FRAMES_PER_STRIP)]
    gap = np.full((FRAME_SIDE, GAP, 3), 255, np.uint8)
    return np.concatenate([part for image in drawn for part in (image, gap)][:-1], axis=1)


def overlay_figure(videos: Mapping[str, Iterable[SegmentedFrame]]) -> go.Figure:
    """Plot one strip of frames per video. `videos` maps each `video_id` to the frames of the video."""
    strips = {video_id: draw_strip(frames) for video_id, frames in videos.items()}
    if not strips:
        return go.Figure(layout={"title": {"text": "No objects were detected in any video"}})
    titles = list(strips)
    figure = make_subplots(rows=len(strips), cols=1, subplot_titles=titles, vertical_spacing=0.12 / len(strips))
    for row, strip in enumerate(strips.values(), start=1):
        figure.add_trace(go.Image(source=_data_uri(strip), hoverinfo="skip"), row=row, col=1)
    width = max(strip.shape[1] for strip in strips.values())
    return (
        figure.update_xaxes(visible=False)
        .update_yaxes(visible=False)
        .update_annotations(x=0, xanchor="left")
        .update_layout(
            width=width + 40,
            height=60 + (FRAME_SIDE + 40) * len(strips),
            margin={"l": 20, "r": 20, "t": 40, "b": 20},
            template="plotly_white",
        )
    )


def class_colour(name: str) -> Colour:
    """Compute the RGB colour (0 to 255) of a class from the name of the class."""
    hue = zlib.crc32(name.encode()) / 2**32
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 1.0))
    return red, green, blue


def _add_margin(box: Box, image: RgbImage) -> Box:
    vertical = round(MARGIN * (box.bottom - box.top)) + 1
    horizontal = round(MARGIN * (box.right - box.left)) + 1
    return Box(
        max(0, box.top - vertical),
        max(0, box.left - horizontal),
        min(image.shape[0], box.bottom + vertical),
        min(image.shape[1], box.right + horizontal),
    )


def _distance_from_centre(start: int, stop: int, steps: int, first: int, last: int) -> NDArray[np.float32]:
    """Return the distances of pixels from the centre of a box along one axis. The edge of the box has distance 1."""
    centres = start + (np.arange(steps, dtype=np.float32) + 0.5) * (stop - start) / steps
    return np.asarray(np.abs(centres - (first + last) / 2) / ((last - first) / 2), np.float32)


def _colour_log_ratio(image: RgbImage, object_weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-likelihood ratio of each pixel's colour between object and background."""
    bins = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int64) * COLOUR_BINS // 256
    colour = bins @ [COLOUR_BINS**2, COLOUR_BINS, 1]
    inside, outside = (
        np.bincount(colour.ravel(), weight.ravel(), COLOUR_BINS**3) + PSEUDOCOUNT
        for weight in (object_weight, 1 - object_weight)
    )
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return np.asarray(ratio[colour].clip(-MAX_LOG_RATIO, MAX_LOG_RATIO), np.float32)


def _draw_label(drawn: RgbImage, label: str, box: Box, colour: Colour) -> None:
    (width, height), _ = cv2.getTextSize(label, _FONT, _FONT_SIZE, 1)
    left = max(0, min(box.left, drawn.shape[1] - width - 4))
    bottom = max(height + 5, box.top)
    cv2.rectangle(drawn, (left, bottom - height - 5), (left + width + 4, bottom), colour, cv2.FILLED)
    cv2.putText(drawn, label, (left + 2, bottom - 3), _FONT, _FONT_SIZE, (0, 0, 0), 1, cv2.LINE_AA)


def _data_uri(image: RgbImage) -> str:
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
