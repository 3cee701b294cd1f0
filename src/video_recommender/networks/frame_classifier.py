"""What every network that looks at frames offers, whatever runs it."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Frames
from video_recommender.networks.imagenet_classes import imagenet_class_names
from video_recommender.networks.pretrained import KerasModel, Network
from video_recommender.storage.digests import fingerprint_bytes


@dataclass(frozen=True)
class FrameDescriptions:
    """What a network makes of frames.

    Attributes:
        probabilities: float32, shape (n, classes); each row sums to 1.
        embeddings: float32, shape (n, features): what the last layer classifies.
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class FrameClassifier(Protocol):
    """A network with the names of its classes; it can be pickled."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of its outputs."""

    @property
    def fingerprint(self) -> str:
        """Another one where the same frames may give other numbers."""

    def describe(self, frames: Frames) -> FrameDescriptions:
        """Tell how probable each class is in each frame, and what the network's last layer has looked at.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3), at least one; of any size.
        """


def fit_to_network(frames: Frames, size: tuple[int, int]) -> Frames:
    """Resize frames if the network reads another size.

    Args:
        frames: uint8 RGB, shape (n, height, width, 3).
        size: height and width that the network reads, pixels.
    """
    height, width = size
    if frames.shape[1:3] == size:
        return frames
    shrinks = frames.shape[1] >= height and frames.shape[2] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.empty((len(frames), height, width, 3), np.uint8)
    for picture, frame in zip(resized, frames, strict=True):
        cv2.resize(frame, (width, height), picture, interpolation=method)
    return resized


def names_of_outputs(model: KerasModel, network: Network, class_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Pair a network's outputs with their names: ImageNet's if none are given.

    Raises:
        ValueError: if the model has another number of outputs than there are names.
    """
    names = class_names or imagenet_class_names()
    if model.output_shape[-1] != len(names):
        raise ValueError(f"{network} tells {model.output_shape[-1]} classes apart, but {len(names)} names were given")
    return names


def fingerprint_weights(model: KerasModel) -> str:
    """Digest a network's weights into 32 hexadecimal digits."""
    return fingerprint_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in model.get_weights()))
