"""The interface of every object detector, and what it returns for a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Picture

Rows = NDArray[np.bool_] | NDArray[np.int64]


@dataclass(frozen=True)
class DetectedObjects:
    """The objects in one picture, in the format of the TensorFlow Object Detection API.

    https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/exporting_models.md

    Attributes:
        boxes: float32, shape (n, 4): top, left, bottom, right as fractions of the picture's height and width.
        class_ids: int64, shape (n,).
        scores: float32, shape (n,), 0 to 1.
        masks: float32, shape (n, height, width): probability that a pixel belongs to the object, either within its box
            or, if the size is the picture's, in the whole picture; None if the detector gives only boxes.
    """

    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    masks: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: Rows) -> Self:
        """Select or reorder objects."""
        masks = None if self.masks is None else self.masks[rows]
        return replace(
            self, boxes=self.boxes[rows], class_ids=self.class_ids[rows], scores=self.scores[rows], masks=masks
        )


class ObjectDetector(Protocol):
    """Detects objects in a picture; it can be pickled and sent to worker processes."""

    @property
    def digest(self) -> str:
        """Digest of the network, its weights and its class names."""

    @property
    def class_names(self) -> Mapping[int, str]:
        """The name of each class by its number."""

    @property
    def class_embeddings(self) -> NDArray[np.float32]:
        """Vectors that are close for similar classes: shape (classes, features), in the order of `class_names`."""

    def detect(self, picture: Picture) -> DetectedObjects:
        """Detect objects, also those of low confidence, highest score first.

        Args:
            picture: uint8 RGB, shape (height, width, 3), of any size.
        """
