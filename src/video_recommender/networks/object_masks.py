"""Which pixels of a picture each found object covers."""

from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from video_recommender.media.frames import Picture
from video_recommender.networks.found_objects import FoundObjects

Masks = NDArray[np.bool_]
"""Shape (objects, height, width)."""

MaskKind = Literal["likely", "boxes"]
"""Where the detector tells no masks: the pixels of the box that are likely the object's, or all of the box."""

MOST_LIKELY: Final = 0.5
"""From this probability on, a network's mask holds a pixel."""

WORKING_SIDE: Final = 64
"""The longer side of a box is reduced to so many pixels: what is measured is an area."""

SURROUNDINGS: Final = 0.15
"""How far around the box the colours of the background are taken from, as a share of its sides."""

COLOURS: Final = 12
"""Into how many steps each of the three channels is divided."""

ROUNDNESS: Final = 2.2
"""Exponent of the superellipse that objects are expected to fill: 2 is an ellipse, more is closer to the box."""

REACH: Final = 0.92
"""Where, on the way from the middle of the box to its edge, object and background are equally likely beforehand."""

STEEPNESS: Final = 4.0
"""How fast that changes on the way."""

COLOUR_WEIGHT: Final = 1.5
LARGEST_LOG_RATIO: Final = 4.0
ONE_MORE: Final = 0.1
"""Added to what was counted of each colour, so that one that was never seen decides nothing."""

SHARE_OF_BOX: Final = (0.3, 0.7)
"""An object covers at least and at most this part of its box."""


class Box(NamedTuple):
    """Edges in pixels; the last row and column lie before `bottom` and `right`."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """What to take of a picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def mask_objects(picture: Picture, objects: FoundObjects, kind: MaskKind) -> Masks:
    """Tell which pixels each object covers: by the network's own masks if it has told them.

    Args:
        picture: uint8 RGB, shape (height, width, 3).
        objects: those to measure.
        kind: see `MaskKind`.

    Returns:
        bool, shape (objects, height, width).
    """
    height, width = picture.shape[:2]
    if objects.masks is not None and objects.masks.shape[1:] == (height, width):
        return objects.masks >= MOST_LIKELY
    masks = np.zeros((len(objects), height, width), bool)
    for row, box in enumerate(pixel_boxes(objects, height, width)):
        if objects.masks is not None:
            size = (box.right - box.left, box.bottom - box.top)
            masks[row][box.inside] = cv2.resize(objects.masks[row], size) >= MOST_LIKELY
        else:
            masks[row][box.inside] = kind == "boxes" or likely_pixels(picture, box)
    return masks


def likely_pixels(picture: Picture, box: Box) -> NDArray[np.bool_]:
    """Tell which pixels of a box are likely the object's, by where they are and by their colour.

    Beforehand, a pixel is the more likely the object's the nearer it is to the middle of the box. Bayes' rule with the
    histograms of the colours that are expected inside and outside tells the rest, as in Possegger, Mauthner and
    Bischof, "In Defense of Color-based Model-free Tracking" (CVPR 2015). One look at a small picture: a fraction of a
    millisecond, where GrabCut takes a thousand times as long and often loses the object altogether.

    Args:
        picture: uint8 RGB, shape (height, width, 3).
        box: where the object is.

    Returns:
        bool, shape (bottom - top, right - left).
    """
    around = _widen(box, picture)
    scale = min(1.0, WORKING_SIDE / max(box.bottom - box.top, box.right - box.left))
    size = [max(1, round(scale * side)) for side in (around.right - around.left, around.bottom - around.top)]
    small = cv2.resize(picture[around.inside], size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    down = _way_from_middle(around.top, around.bottom, size[1], box.top, box.bottom)
    across = _way_from_middle(around.left, around.right, size[0], box.left, box.right)
    way = (down[:, np.newaxis] ** ROUNDNESS + across**ROUNDNESS) ** (1 / ROUNDNESS)
    beforehand = STEEPNESS * (REACH - way)
    is_in_box = np.maximum(down[:, np.newaxis], across) <= 1
    score = beforehand + COLOUR_WEIGHT * _told_by_colour(small, np.where(is_in_box, expit(beforehand), 0))
    large = cv2.resize(score, (around.right - around.left, around.bottom - around.top))
    scored = large[box.top - around.top :, box.left - around.left :][: box.bottom - box.top, : box.right - box.left]
    least, most = np.quantile(scored, [1 - SHARE_OF_BOX[1], 1 - SHARE_OF_BOX[0]])
    return np.asarray(scored >= np.clip(0.0, least, most))


def pixel_boxes(objects: FoundObjects, height: int, width: int) -> list[Box]:
    """Boxes in pixels of a picture of that size; each at least one pixel large."""
    scale = np.array([height, width, height, width])
    edges = np.rint(objects.boxes * scale).astype(np.int64)
    edges[:, :2] = edges[:, :2].clip(0, scale[:2] - 1)
    edges[:, 2:] = np.maximum(edges[:, 2:], edges[:, :2] + 1)
    return [Box(*row) for row in edges.tolist()]


def _widen(box: Box, picture: Picture) -> Box:
    down = round(SURROUNDINGS * (box.bottom - box.top)) + 1
    across = round(SURROUNDINGS * (box.right - box.left)) + 1
    return Box(
        max(0, box.top - down),
        max(0, box.left - across),
        min(picture.shape[0], box.bottom + down),
        min(picture.shape[1], box.right + across),
    )


def _way_from_middle(start: int, stop: int, steps: int, first: int, last: int) -> NDArray[np.float32]:
    """How far pixels are from the middle of a box, along one axis: 0 there, 1 at its edge."""
    centres = start + (np.arange(steps, dtype=np.float32) + 0.5) * (stop - start) / steps
    return np.asarray(np.abs(centres - (first + last) / 2) / ((last - first) / 2), np.float32)


def _told_by_colour(picture: Picture, is_object: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much more often each pixel's colour is expected in the object than around it: log of the ratio."""
    steps = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.int64) * COLOURS // 256
    colour = steps @ [COLOURS**2, COLOURS, 1]
    inside, outside = (
        np.bincount(colour.ravel(), weight.ravel(), COLOURS**3) + ONE_MORE for weight in (is_object, 1 - is_object)
    )
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return np.asarray(ratio[colour].clip(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO), np.float32)
