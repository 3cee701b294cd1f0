"""Draw boxes, masks, names and areas of detected objects into frames."""

import base64
import colorsys
import zlib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

import cv2
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from video_recommender.media.frames import Picture
from video_recommender.networks.object_masks import Box, pixel_boxes
from video_recommender.networks.object_segmenter import SegmentedFrame

FRAMES_PER_STRIP: Final = 5
FRAME_SIDE: Final = 320
"""Height to which frames are enlarged, so that labels are legible; pixels."""

OPACITY: Final = 0.45
GAP: Final = 4
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SIZE: Final = 0.45

Colour = tuple[int, int, int]


def draw_objects(frame: SegmentedFrame, height: int = FRAME_SIDE) -> Picture:
    """Draw a frame's objects into its picture, enlarged to this height in pixels, highest score on top."""
    scale = height / frame.picture.shape[0]
    enlarged = cv2.resize(frame.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
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


def draw_strip(frames: Iterable[SegmentedFrame]) -> Picture:
    """Draw the accepted objects of a video's first frames side by side, `FRAME_SIDE` pixels high."""
    drawn = [draw_objects(frame.accepted()) for frame in islice(frames, FRAMES_PER_STRIP)]
    gap = np.full((FRAME_SIDE, GAP, 3), 255, np.uint8)
    return np.concatenate([part for picture in drawn for part in (picture, gap)][:-1], axis=1)


def overlay_figure(videos: Mapping[str, Iterable[SegmentedFrame]]) -> go.Figure:
    """Draw a strip of frames per video, by `video_id`."""
    strips = {video_id: draw_strip(frames) for video_id, frames in videos.items()}
    if not strips:
        return go.Figure(layout={"title": {"text": "No video shows an object"}})
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
    """Return the RGB colour of a class, which depends only on its name."""
    hue = zlib.crc32(name.encode()) / 2**32
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 1.0))
    return red, green, blue


def _draw_label(drawn: Picture, label: str, box: Box, colour: Colour) -> None:
    (width, height), _ = cv2.getTextSize(label, _FONT, _FONT_SIZE, 1)
    left = max(0, min(box.left, drawn.shape[1] - width - 4))
    bottom = max(height + 5, box.top)
    cv2.rectangle(drawn, (left, bottom - height - 5), (left + width + 4, bottom), colour, cv2.FILLED)
    cv2.putText(drawn, label, (left + 2, bottom - 3), _FONT, _FONT_SIZE, (0, 0, 0), 1, cv2.LINE_AA)


def _data_uri(picture: Picture) -> str:
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
