"""Spare the network frames that are all but the same as one that it has read."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from video_recommender.media.frames import Frames, Picture
from video_recommender.networks.frame_classifier import FrameClassifier, FrameDescriptions


def describe_changed(
    batches: Iterable[Frames], classifier: FrameClassifier, below: float
) -> Iterator[FrameDescriptions]:
    """Describe frames; one that has hardly changed takes over what was seen in the last one that the network has read.

    It is compared with that one, not with the frame before it, so that slow change adds up until it counts.

    Args:
        batches: the frames of one video in order of time, each uint8 RGB, shape (n, height, width, 3).
        classifier: network with its class names.
        below: a frame is reused if its mean absolute difference is smaller, grey levels (0 to 255).

    Yields:
        A row for every frame of each batch.
    """
    read: Picture | None = None
    known: FrameDescriptions | None = None
    for batch in batches:
        is_read = np.zeros(len(batch), dtype=bool)
        for number, frame in enumerate(batch):
            if read is None or mean_difference(frame, read) >= below:
                read, is_read[number] = frame, True
        rows = np.cumsum(is_read) - (known is None)
        if is_read.any():
            new = classifier.describe(batch[is_read])
            known = new if known is None else _joined(known, new)
        assert known is not None  # the first frame of a video is always read
        yield _rows(known, rows)
        known = _rows(known, rows[-1:])


def mean_difference(frame: Picture, other: Picture) -> float:
    """Measure how far two frames differ: mean absolute difference over pixels and colours, grey levels (0 to 255)."""
    return cv2.norm(frame, other, cv2.NORM_L1) / frame.size


def _joined(first: FrameDescriptions, second: FrameDescriptions) -> FrameDescriptions:
    return FrameDescriptions(
        np.concatenate([first.probabilities, second.probabilities]),
        np.concatenate([first.embeddings, second.embeddings]),
    )


def _rows(described: FrameDescriptions, rows: np.ndarray) -> FrameDescriptions:
    return FrameDescriptions(described.probabilities[rows], described.embeddings[rows])
