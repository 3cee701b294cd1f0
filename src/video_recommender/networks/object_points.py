"""What a head looks at: the objects that the frozen network, its last layer included, makes out in a picture.

A head that looks at the network's features has to learn from a handful of images which of them matter. The last layer
knows: it has learnt it from a million. So the features are turned into a point in object space first, much as videos
are.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.preprocessing import normalize

from video_recommender.networks.pretrained import KerasModel, last_layer_weights

if TYPE_CHECKING:
    import keras

Points = NDArray[np.float32]
"""float32, axes along the last axis, of unit length."""


@dataclass(frozen=True, eq=False)
class ObjectPoints:
    """Map of features to points in the space of the network's own classes.

    Attributes:
        kernel: float32, shape (features, objects): the network's last layer.
        bias: float32, shape (objects,).
        object_points: float32, shape (objects, axes): where each object lies: its row of the last layer, centred and of
            unit length.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    object_points: NDArray[np.float32]

    @classmethod
    def of(cls, network: KerasModel) -> Self:
        """Read the map from a network, as from `build_network`."""
        kernel, bias = last_layer_weights(network)
        rows = normalize(kernel.T - kernel.T.mean(axis=0)).astype(np.float32)
        return cls(kernel, bias, rows)

    def place(self, features: NDArray[np.float32]) -> Points:
        """Place pictures in object space.

        Args:
            features: float32, shape (…, features).

        Returns:
            float32, shape (…, axes).
        """
        points = softmax(features @ self.kernel + self.bias, axis=-1) @ self.object_points
        return np.asarray(points / np.linalg.norm(points, axis=-1, keepdims=True), dtype=np.float32)

    def layers(self) -> list["keras.Layer"]:
        """The same as Keras layers, frozen, to be put between a network and its head."""
        import keras

        objects = keras.layers.Dense(len(self.bias), activation="softmax", name="objects")
        axes = keras.layers.Dense(self.object_points.shape[1], use_bias=False, name="object_space")
        objects.build((None, len(self.kernel)))
        axes.build((None, len(self.bias)))
        objects.set_weights([self.kernel, self.bias])
        axes.set_weights([self.object_points])
        objects.trainable = axes.trainable = False
        return [objects, axes, keras.layers.UnitNormalization(name="object_point")]
