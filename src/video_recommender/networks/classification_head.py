"""A classification head on a frozen network: weights, predictions, and the Keras model that contains it."""

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

Logits = NDArray[np.float32]  # float32, shape (n, classes)

OTHER: Final = "other"  # class of frames that show none of the other classes


@dataclass(frozen=True, eq=False)
class ObjectSpaceProjection:
    """Frozen layers that map embeddings to points in the space of the network's own classes.

    With few images, a head trained on these points is more accurate than one trained on embeddings.
    """

    kernel: NDArray[np.float32]  # of the network's last layer, shape (features, objects)
    bias: NDArray[np.float32]  # of the same layer, shape (objects,)
    object_points: NDArray[np.float32]  # centred class embeddings of unit length, shape (objects, axes)

    @classmethod
    def from_network(cls, network: KerasModel) -> Self:
        """Read the layers from a network that `build_network` returns."""
        kernel, bias = last_layer_weights(network)
        return cls(kernel, bias, normalize(kernel.T - kernel.T.mean(axis=0)).astype(np.float32))

    def project(self, embeddings: Embeddings) -> NDArray[np.float32]:
        """Project embeddings, shape (…, features), to points of unit length: float32, shape (…, axes)."""
        points = softmax(embeddings @ self.kernel + self.bias, axis=-1) @ self.object_points
        return np.asarray(points / np.linalg.norm(points, axis=-1, keepdims=True), dtype=np.float32)

    def layers(self) -> list["keras.Layer"]:
        """Build Keras layers that compute the same projection."""
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
    """A dense layer with softmax and a reject option."""

    class_names: tuple[str, ...]  # in the order of the outputs
    weights: NDArray[np.float32]  # shape (inputs, classes)
    bias: NDArray[np.float32]  # shape (classes,)
    projection: ObjectSpaceProjection | None = None  # if None, the inputs are the embeddings
    rejection_threshold: float = 0.0  # images whose highest probability is lower are classified as `other`

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes, followed by `other` if images can be rejected and no class has that name."""
        adds_other = self.rejection_threshold > 0 and OTHER not in self.class_names
        return (*self.class_names, OTHER) if adds_other else self.class_names

    def with_temperature(self, temperature: float) -> "ClassificationHead":
        """Return a head whose logits are divided by a temperature."""
        scale = np.float32(1 / temperature)
        return replace(self, weights=self.weights * scale, bias=self.bias * scale)

    def logits(self, embeddings: Embeddings) -> Logits:
        """Compute the logits, shape (n, classes), of embeddings, shape (n, features)."""
        inputs = self.projection.project(embeddings) if self.projection else embeddings
        return np.asarray(inputs @ self.weights + self.bias, dtype=np.float32)

    def predict(self, embeddings: Embeddings) -> FramePredictions:
        """Predict the probability of each output for embeddings, shape (n, features).

        The probability of the class `other`, if it is added, is 0 or 1.
        """
        probabilities = softmax(self.logits(embeddings), axis=1)
        outputs = np.zeros((len(probabilities), len(self.output_names)), np.float32)
        outputs[:, : len(self.class_names)] = probabilities
        is_other = probabilities.max(axis=1) < np.float32(self.rejection_threshold)
        outputs[is_other] = np.array(self.output_names) == OTHER
        return FramePredictions(outputs, embeddings)

    def class_embeddings(self) -> DataFrame[ClassEmbeddings]:
        """Return the weights of each output. If the class `other` is added, its weights are zero."""
        rows = np.zeros((len(self.output_names), len(self.weights)), np.float32)
        rows[: len(self.class_names)] = self.weights.T
        return class_embeddings(rows, self.output_names)


def attach_head(network: KerasModel, head: ClassificationHead) -> KerasModel:
    """Replace the last layer of a network with a head that was trained on its embeddings.

    The model returns the probabilities of `head.output_names`, float32, shape (n, outputs). It shares the other layers.
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
    """Add the rejection of `ClassificationHead.predict` to a Keras model."""
    from keras import ops

    highest = ops.max(probabilities, axis=-1, keepdims=True)
    is_other = ops.cast(ops.less(highest, head.rejection_threshold), "float32")
    kept = ops.multiply(probabilities, ops.subtract(1.0, is_other))
    outputs, column = len(head.output_names), head.output_names.index(OTHER)
    kept = ops.pad(kept, [[0, 0], [0, outputs - len(head.class_names)]])
    return ops.add(kept, ops.pad(is_other, [[0, 0], [column, outputs - 1 - column]]))
