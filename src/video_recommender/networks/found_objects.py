"""What an object detector tells of a picture, whatever network it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Picture

Selection = NDArray[np.bool_] | NDArray[np.int64]


@dataclass(frozen=True)
class FoundObjects:
    """The objects that a detector has found in one picture, in the terms of the TensorFlow Object Detection API.

    https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/exporting_models.md

    Attributes:
        boxes: float32, shape (n, 4): top, left, bottom and right, as shares of the picture's height and width, 0 to 1.
        class_ids: int64, shape (n,).
        scores: float32, shape (n,), 0 to 1.
        masks: float32, shape (n, height, width): how probable each part belongs to the object, 0 to 1, either of each
            box or, where its size is the picture's, of the whole picture; None if the detector tells boxes only.
    """

    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    masks: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: Selection) -> Self:
        """Keep some of the objects, or all in another order."""
        masks = None if self.masks is None else self.masks[rows]
        return replace(
            self, boxes=self.boxes[rows], class_ids=self.class_ids[rows], scores=self.scores[rows], masks=masks
        )


class ObjectDetector(Protocol):
    """Finds objects in a picture; it can be pickled and sent to worker processes."""

    @property
    def fingerprint(self) -> str:
        """Digest of the network, its weights and its class names."""

    @property
    def class_names(self) -> Mapping[int, str]:
        """The name of each class that it can tell, by its number."""

    @property
    def class_embeddings(self) -> NDArray[np.float32]:
        """What the network knows of how classes resemble each other: shape (classes, features), in the same order."""

    def find(self, picture: Picture) -> FoundObjects:
        """Find objects, also very doubtful ones, the most certain first.

        Args:
            picture: uint8 RGB, shape (height, width, 3), of any size.
        """
