"""A classification head on a frozen network: its weights, its predictions, and the Keras model that ends in it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy.special import softmax
from sklearn.preprocessing import normalize

from video_recommender.console_output import suppress_stderr
from video_recommender.networks.frame_classifier import Embeddings, FramePredictions
from video_recommender.networks.pretrained import KerasModel, class_embeddings, embedding_model, last_layer_weights
from video_recommender.schemas import ClassEmbeddings

if TYPE_CHECKING:
    import keras

Logits = NDArray[np.float32]
"""float32, shape (n, classes)."""

OTHER: Final = "other"
"""Class of frames that show none of the classes."""


@dataclass(frozen=True, eq=False)
class ObjectSpaceProjection:
    """Frozen layers that map embeddings to points in the space of the network's own classes.

    With few images, a head learns more from the objects that the network recognises than from the embedding.

    Attributes:
        kernel: of the network's last layer: float32, shape (features, objects).
        bias: of the same layer: float32, shape (objects,).
        object_points: float32, shape (objects, axes): class embeddings, centred and of unit length.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    object_points: NDArray[np.float32]

    @classmethod
    def from_network(cls, network: KerasModel) -> Self:
        """Read the layers from a network, as from `build_network`."""
        kernel, bias = last_layer_weights(network)
        return cls(kernel, bias, normalize(kernel.T - kernel.T.mean(axis=0)).astype(np.float32))

    def project(self, embeddings: Embeddings) -> NDArray[np.float32]:
        """Project embeddings, shape (…, features), to points of unit length, float32, shape (…, axes)."""
        points = softmax(embeddings @ self.kernel + self.bias, axis=-1) @ self.object_points
        return np.asarray(points / np.linalg.norm(points, axis=-1, keepdims=True), dtype=np.float32)

    def layers(self) -> list["keras.Layer"]:
        """Build the same projection as Keras layers."""
        import keras

        objects = keras.layers.Dense(len(self.bias), activation="softmax", name="objects")
        axes = keras.layers.Dense(self.object_points.shape[1], use_bias=False, name="object_space")
        objects.build((None, len(self.kernel)))
        axes.build((None, len(self.bias)))
        objects.set_weights([self.kernel, self.bias])
        axes.set_weights([self.object_points])
        objects.trainable = axes.trainable = False
        return [objects, axes, keras.layers.UnitNormalization(name="object_point")]


@dataclass(frozen=True, eq=False)
class ClassificationHead:
    """A dense layer with softmax and a reject option.

    Attributes:
        class_names: in the order of the outputs.
        weights: float32, shape (inputs, classes).
        bias: float32, shape (classes,).
        projection: maps embeddings to the inputs; None: embeddings are the inputs.
        rejection_threshold: an image whose greatest probability is smaller is `other`; 0 rejects none.
    """

    class_names: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    projection: ObjectSpaceProjection | None = None
    rejection_threshold: float = 0.0

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes, and `other` if images can be rejected and no class has that name."""
        adds_other = self.rejection_threshold > 0 and OTHER not in self.class_names
        return (*self.class_names, OTHER) if adds_other else self.class_names

    def with_temperature(self, temperature: float) -> "ClassificationHead":
        """Return the same head with its logits divided by a temperature."""
        scale = np.float32(1 / temperature)
        return replace(self, weights=self.weights * scale, bias=self.bias * scale)

    def logits(self, embeddings: Embeddings) -> Logits:
        """Compute the scores before the softmax for embeddings of shape (n, features)."""
        inputs = self.projection.project(embeddings) if self.projection else embeddings
        return np.asarray(inputs @ self.weights + self.bias, dtype=np.float32)

    def predict(self, embeddings: Embeddings) -> FramePredictions:
        """Predict the probability of each output for embeddings of shape (n, features), as a network does.

        The probability of `other` is 0 or 1.
        """
        probabilities = softmax(self.logits(embeddings), axis=1)
        outputs = np.zeros((len(probabilities), len(self.output_names)), np.float32)
        outputs[:, : len(self.class_names)] = probabilities
        is_other = probabilities.max(axis=1) < np.float32(self.rejection_threshold)
        outputs[is_other] = np.array(self.output_names) == OTHER
        return FramePredictions(outputs, embeddings)

    def class_embeddings(self) -> DataFrame[ClassEmbeddings]:
        """Tabulate the weights of each output; the row of an added `other` is zero."""
        rows = np.zeros((len(self.output_names), len(self.weights)), np.float32)
        rows[: len(self.class_names)] = self.weights.T
        return class_embeddings(rows, self.output_names)


def attach_head(network: KerasModel, head: ClassificationHead) -> KerasModel:
    """Replace the last layer of a network, as from `build_network`, by a head that was trained on it.

    Returns:
        A model from RGB, 0 to 255, shape (n, height, width, 3), to the probabilities of `head.output_names`, float32.
        It shares its layers with `network`.
    """
    with suppress_stderr():
        import keras

    base = embedding_model(network)
    inputs = base.output
    for layer in head.projection.layers() if head.projection else ():
        inputs = layer(inputs)
    classify = keras.layers.Dense(len(head.class_names), activation="softmax", name="class_scores")
    probabilities = classify(inputs)
    classify.set_weights([head.weights, head.bias])
    outputs = _reject(probabilities, head) if head.rejection_threshold > 0 else probabilities
    return keras.Model(base.input, outputs, name=f"{network.name}-finetuned")


def _reject(probabilities: "keras.KerasTensor", head: ClassificationHead) -> "keras.KerasTensor":
    """Reject images as `ClassificationHead.predict` does."""
    from keras import ops

    greatest = ops.max(probabilities, axis=-1, keepdims=True)
    is_other = ops.cast(ops.less(greatest, head.rejection_threshold), "float32")
    kept = ops.multiply(probabilities, ops.subtract(1.0, is_other))
    outputs, column = len(head.output_names), head.output_names.index(OTHER)
    kept = ops.pad(kept, [[0, 0], [0, outputs - len(head.class_names)]])
    return ops.add(kept, ops.pad(is_other, [[0, 0], [column, outputs - 1 - column]]))
