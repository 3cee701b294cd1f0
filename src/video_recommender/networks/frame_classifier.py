"""The interface of every network that classifies frames, independent of what runs it."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Frames
from video_recommender.networks.pretrained import KerasModel, Network, imagenet_class_names


@dataclass(frozen=True)
class FramePredictions:
    """What a network predicts for frames.

    Attributes:
        probabilities: float32, shape (n, classes); each row sums to 1.
        embeddings: output of the penultimate layer: float32, shape (n, features).
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class FrameClassifier(Protocol):
    """A network with the names of its classes; it can be pickled."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the outputs."""

    @property
    def digest(self) -> str:
        """Digest of everything that affects predictions."""

    def predict(self, frames: Frames) -> FramePredictions:
        """Predict class probabilities and embeddings.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3), at least one; resized if the network has another input size.
        """


def resize_frames(frames: Frames, size: tuple[int, int]) -> Frames:
    """Resize frames to the height and width that the network reads, pixels."""
    height, width = size
    if frames.shape[1:3] == size:
        return frames
    shrinks = frames.shape[1] >= height and frames.shape[2] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.empty((len(frames), height, width, 3), np.uint8)
    for picture, frame in zip(resized, frames, strict=True):
        cv2.resize(frame, (width, height), picture, interpolation=method)
    return resized


def output_names(model: KerasModel, network: Network, class_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of a network's outputs: ImageNet's if `class_names` is None.

    Raises:
        ValueError: if the number of names is not the number of outputs.
    """
    names = class_names or imagenet_class_names()
    if model.output_shape[-1] != len(names):
        raise ValueError(f"{network} has {model.output_shape[-1]} outputs, but {len(names)} class names were given")
    return names
