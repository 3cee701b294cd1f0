"""Objects detected in frames: non-maximum suppression within a frame, hysteresis thresholding across frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]  # shape (n, 4): top, left, bottom, right, relative to the image (0 to 1)

Rows = NDArray[np.bool_] | NDArray[np.int64]

LOW_THRESHOLD_RATIO: Final = 0.7
"""Ratio of the lower to the upper threshold (benchmarks/segmentation_quality.py)."""

TRACKING_IOU: Final = 0.3
"""Minimum intersection over union at which boxes of one class in consecutive frames show the same object."""

CONTAINED: Final = 0.7
"""The less confident of two boxes of one class is a duplicate if the larger box contains this share of the smaller."""

NEVER_DUPLICATE: Final = 0.5  # objects with this score or more are not duplicates, because people overlap in crowds


@dataclass(frozen=True)
class DetectedObjects:
    """The objects in one image, in the format of the TensorFlow Object Detection API.

    https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/exporting_models.md

    Attributes:
        boxes: see `Boxes`.
        class_ids: int64, shape (n,): class numbers of the detector.
        scores: float32, shape (n,), 0 to 1.
        masks: float32, shape (n, height, width): probability that a pixel belongs to the object. Masks of the size of
            the image cover the image, and other masks cover the box. None if the detector returns only boxes.
    """

    boxes: Boxes
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    masks: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: Rows) -> "DetectedObjects":
        """Select or reorder objects by mask or index."""
        masks = None if self.masks is None else self.masks[rows]
        return DetectedObjects(self.boxes[rows], self.class_ids[rows], self.scores[rows], masks)


def non_maximum_suppression(
    boxes: Boxes, class_ids: NDArray[np.int64], scores: NDArray[np.float32], max_iou: float
) -> NDArray[np.int64]:
    """Return the rows, best first, of the best boxes that overlap each other by at most `max_iou` within a class."""
    if not len(boxes):
        return np.empty(0, np.int64)
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    suppress: Any = cv2.dnn.NMSBoxesBatched  # its stubs require lists, which are slower
    kept = np.asarray(suppress(corner_and_size, scores, class_ids.astype(np.int32), 0.0, max_iou), np.int64)
    return kept[np.argsort(-scores[kept], kind="stable")]


def hysteresis_threshold(
    frames: Sequence[DetectedObjects], thresholds: Mapping[int, float], low_ratio: float = LOW_THRESHOLD_RATIO
) -> list[NDArray[np.bool_]]:
    """Select objects by hysteresis thresholding over time (Canny 1986). Returns one mask per frame, shape (objects,).

    An object is accepted if its score reaches the upper threshold, or if it reaches the lower threshold and continues
    an object that is accepted in the previous or next frame. Duplicates of an accepted object are rejected.

    Args:
        frames: the objects of each frame, highest score first; frames in chronological order.
        thresholds: mapping from class numbers to upper thresholds, 0 to 1. Objects of other classes are rejected.
        low_ratio: ratio of the lower to the upper threshold. If 1, frames do not affect each other.
    """
    limits = [np.array([thresholds.get(int(number), np.inf) for number in found.class_ids]) for found in frames]
    accepted = [found.scores >= limit for found, limit in zip(frames, limits, strict=True)]
    candidates = [found.scores >= low_ratio * limit for found, limit in zip(frames, limits, strict=True)]
    for order in (range(1, len(frames)), range(len(frames) - 2, -1, -1)):
        for current in order:
            neighbour, objects = current - order.step, frames[current]
            continues = _is_same_object(objects, frames[neighbour].select(accepted[neighbour])).any(axis=1)
            repeats = _is_same_object(objects, objects.select(accepted[current])).any(axis=1)
            accepted[current] = accepted[current] | _most_confident(objects, candidates[current] & continues & ~repeats)
    return [_without_contained(found, rows) for found, rows in zip(frames, accepted, strict=True)]


def box_iou(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Compute the intersection over union of n and m boxes: float32, shape (n, m), 0 to 1."""
    intersection, area, other_area = _areas(boxes, others)
    return _ratio(intersection, area + other_area - intersection)


def box_containment(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Compute the intersection of n and m boxes relative to the smaller box: float32, shape (n, m), 0 to 1."""
    intersection, area, other_area = _areas(boxes, others)
    return _ratio(intersection, np.minimum(area, other_area))


def _without_contained(found: DetectedObjects, accepted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Reject objects that contain, or are contained in, a more confident object of their class."""
    rows = np.flatnonzero(accepted)
    objects = found.select(rows)
    same_class = objects.class_ids[:, np.newaxis] == objects.class_ids
    contained = np.triu(same_class & (box_containment(objects.boxes, objects.boxes) >= CONTAINED), k=1).any(axis=0)
    return np.isin(np.arange(len(found)), rows[~contained | (objects.scores >= NEVER_DUPLICATE)])


def _most_confident(found: DetectedObjects, selected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the selected boxes that show the same object, keep only the first."""
    rows = np.flatnonzero(selected)
    is_same = _is_same_object(found.select(rows), found.select(rows))
    is_first = ~np.triu(is_same, k=1).any(axis=0)
    return np.isin(np.arange(len(found)), rows[is_first])


def _is_same_object(objects: DetectedObjects, others: DetectedObjects) -> NDArray[np.bool_]:
    same_class = objects.class_ids[:, np.newaxis] == others.class_ids
    return np.asarray(same_class & (box_iou(objects.boxes, others.boxes) >= TRACKING_IOU), bool)


def _areas(boxes: Boxes, others: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the intersections, shape (n, m), and the areas of the boxes, shapes (n, 1) and (m,)."""
    first = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    last = np.minimum(boxes[:, np.newaxis, 2:], others[:, 2:])
    area, other_area = ((part[:, 2:] - part[:, :2]).prod(axis=1) for part in (boxes, others))
    return (last - first).clip(0).prod(axis=2), area[:, np.newaxis], other_area


def _ratio(part: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
