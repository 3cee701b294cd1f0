"""Several boxes around one object: how much boxes overlap, and which of them to keep."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Shape (n, 4): top, left, bottom, right."""


def best_boxes(
    boxes: Boxes, class_ids: NDArray[np.int64], scores: NDArray[np.float32], most_overlap: float
) -> NDArray[np.int64]:
    """Keep, of boxes of one class that overlap, the best: non-maximum suppression, class by class.

    Args:
        boxes: shape (n, 4).
        class_ids: shape (n,).
        scores: shape (n,).
        most_overlap: intersection over union from which two boxes show the same object.

    Returns:
        The rows to keep, the most certain first.
    """
    if not len(boxes):
        return np.empty(0, np.int64)
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    suppress: Any = cv2.dnn.NMSBoxesBatched  # its stubs want lists, which are slower
    kept = np.asarray(suppress(corner_and_size, scores, class_ids.astype(np.int32), 0.0, most_overlap), np.int64)
    return kept[np.argsort(-scores[kept], kind="stable")]


def overlap(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Intersection over union of boxes.

    Args:
        boxes: shape (n, 4).
        others: shape (m, 4).

    Returns:
        float32, shape (n, m), 0 to 1.
    """
    common, area, other_area = _areas(boxes, others)
    return _ratio(common, area + other_area - common)


def nesting(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """How much of the smaller of two boxes lies in the other one.

    Args:
        boxes: shape (n, 4).
        others: shape (m, 4).

    Returns:
        float32, shape (n, m), 0 to 1.
    """
    common, area, other_area = _areas(boxes, others)
    return _ratio(common, np.minimum(area, other_area))


def _areas(boxes: Boxes, others: Boxes) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What each pair has in common, shape (n, m), and each box's own area, shapes (n, 1) and (m,)."""
    first = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    last = np.minimum(boxes[:, np.newaxis, 2:], others[:, 2:])
    area, other_area = ((part[:, 2:] - part[:, :2]).prod(axis=1) for part in (boxes, others))
    return (last - first).clip(0).prod(axis=2), area[:, np.newaxis], other_area


def _ratio(part: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
