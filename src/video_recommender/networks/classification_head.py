"""A head of one's own: from what a network has seen in a picture to the probabilities of a few classes."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy.special import softmax

from video_recommender.networks.frame_classifier import FrameDescriptions
from video_recommender.networks.object_points import ObjectPoints
from video_recommender.schemas import ClassEmbeddings
from video_recommender.storage.digests import fingerprint, fingerprint_bytes

Logits = NDArray[np.float32]
"""Scores before the softmax: float32, shape (n, classes)."""

OTHER = "other"
"""What a frame is called that shows none of the classes."""


@dataclass(frozen=True, eq=False)
class ClassificationHead:
    """A dense layer with softmax, and what it calls `other`.

    Attributes:
        class_names: in the order of the outputs.
        weights: float32, shape (inputs, classes).
        bias: float32, shape (classes,).
        object_points: turns the network's features into the inputs; None: the features are the inputs.
        other_threshold: a picture whose most probable class is less probable than this shows none of them; 0: each
            picture shows one.
        block: weights of the network's last block where that was tuned too, as `LastBlock` keeps them; the features
            that this head classifies are then those that the tuned network gives.
    """

    class_names: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    object_points: ObjectPoints | None = None
    other_threshold: float = 0.0
    block: tuple[NDArray[np.float32], ...] = ()

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes, and `other` where there is a threshold and no class of that name."""
        adds_other = self.other_threshold > 0 and OTHER not in self.class_names
        return (*self.class_names, OTHER) if adds_other else self.class_names

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that decides what it says."""
        weights = fingerprint_bytes(b"".join(part.tobytes() for part in (self.weights, self.bias, *self.block)))
        return fingerprint(weights, list(self.class_names), self.other_threshold, self.object_points is not None)

    def with_temperature(self, temperature: float) -> "ClassificationHead":
        """The same head with its logits divided by a temperature: a softmax has no other use for their scale."""
        scale = np.float32(1 / temperature)
        return replace(self, weights=self.weights * scale, bias=self.bias * scale)

    def logits(self, features: NDArray[np.float32]) -> Logits:
        """Score each class.

        Args:
            features: float32, shape (n, features): what the network's last layer looks at.

        Returns:
            float32, shape (n, classes).
        """
        inputs = self.object_points.place(features) if self.object_points else features
        return np.asarray(inputs @ self.weights + self.bias, dtype=np.float32)

    def describe(self, features: NDArray[np.float32]) -> FrameDescriptions:
        """Tell how probable each output is, as the network that ends in this head does.

        Args:
            features: float32, shape (n, features): what the network's last layer looks at.

        Returns:
            Probabilities, float32, shape (n, outputs), and the features themselves.
        """
        probabilities = softmax(self.logits(features), axis=1)
        if self.other_threshold > 0:
            probabilities = self._with_other(probabilities)
        return FrameDescriptions(probabilities, features)

    def embeddings(self) -> DataFrame[ClassEmbeddings]:
        """The weights of each output, a row per output; `other` has none of its own, so its row is zero."""
        rows = np.zeros((len(self.output_names), len(self.weights)), np.float32)
        rows[: len(self.class_names)] = self.weights.T
        columns = [f"feature_{number}" for number in range(1, rows.shape[1] + 1)]
        return ClassEmbeddings.validate(pd.DataFrame(rows, pd.Index(self.output_names, name="class_name"), columns))

    def _with_other(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        is_other = probabilities.max(axis=1) < np.float32(self.other_threshold)
        outputs = np.zeros((len(probabilities), len(self.output_names)), np.float32)
        outputs[:, : len(self.class_names)] = probabilities
        outputs[is_other] = 0
        outputs[is_other, self.output_names.index(OTHER)] = 1
        return outputs
