"""The networks that tell 1000 kinds of object apart, by name. Keras is imported only when one is built or read."""

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, PositiveFloat

from video_recommender.console_output import suppress_stderr
from video_recommender.networks.efficientnet_lite import VARIANTS, read_efficientnet_lite
from video_recommender.networks.imagenet_classes import imagenet_class_names
from video_recommender.schemas import ClassEmbeddings

if TYPE_CHECKING:
    import keras

    KerasModel: TypeAlias = keras.Model
else:
    KerasModel: TypeAlias = Any

Network: TypeAlias = str
"""`efficientnet-lite0`, `efficientnet-lite2`, or a network of `keras.applications` such as `MobileNetV2`."""


class DetectionOptions(BaseModel):
    """How frames are read by the network (parameters_detection.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Network = "efficientnet-lite0"
    engine: Literal["litert", "keras"] = "litert"
    reuse_below: PositiveFloat | None = None


def build_network(name: Network) -> KerasModel:
    """Build a network with its ImageNet weights and its own preprocessing inside.

    Args:
        name: see `Network`. The two EfficientNet-Lites need no internet access, the others do the first time.

    Returns:
        A model named `name` from RGB, 0 to 255, shape (n, height, width, 3), to the probabilities of the classes,
        float32, shape (n, 1000).

    Raises:
        ValueError: if there is no such network or its weights cannot be had.
    """
    with suppress_stderr():
        import keras  # noqa: F401 - here, because TensorFlow greets from C++ when it is imported
    if name in VARIANTS:
        return read_efficientnet_lite(name).build()
    return _build_keras_application(name)


def class_embeddings(network: KerasModel) -> DataFrame[ClassEmbeddings]:
    """Read what the network's last layer knows of each class: see `tabulate_class_weights`.

    Args:
        network: as from `build_network`.
    """
    return tabulate_class_weights(last_layer_weights(network)[0].T)


def tabulate_class_weights(class_weights: NDArray[np.float32]) -> DataFrame[ClassEmbeddings]:
    """Tabulate a last layer's weights for every feature, which point in similar directions for similar classes.

    Args:
        class_weights: float32, shape (classes, features).

    Returns:
        Raw weights, neither centred nor normalised: a float32 column per feature (1280 in EfficientNet-Lite).
    """
    names = imagenet_class_names()
    rows = np.ascontiguousarray(class_weights)
    columns = [f"feature_{number}" for number in range(1, rows.shape[1] + 1)]
    return ClassEmbeddings.validate(pd.DataFrame(rows, pd.Index(names, name="class_name"), columns))


def copy_network(network: KerasModel) -> KerasModel:
    """Copy a network, so that whatever becomes of the copy leaves it as it is."""
    import keras

    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def last_layer_weights(network: KerasModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read the network's last layer.

    Args:
        network: as from `build_network`.

    Returns:
        Its kernel, shape (features, classes), and its bias, shape (classes,).
    """
    layer = _last_layer(_innermost(network))
    kernel, bias = np.asarray(layer.kernel, np.float32), np.asarray(layer.bias, np.float32)
    # Some networks end in a dense layer, some in a convolution of size 1; both keep the classes on the last axis.
    return kernel.reshape(-1, len(bias)), bias


def embedding_network(network: KerasModel) -> KerasModel:
    """Cut off a network's last layer, so that it gives what that layer looks at.

    Args:
        network: as from `build_network`.

    Returns:
        A model from RGB, 0 to 255, to the embedding of the picture: float32, shape (n, features). It shares its layers
        with the network.
    """
    import keras

    inner = _innermost(network)
    embedding = _last_layer(inner).input
    flat = embedding if len(embedding.shape) == 2 else keras.layers.Flatten(name="flat_embedding")(embedding)
    base = keras.Model(inner.input, flat, name=f"{inner.name}_embedding")
    return base if inner is network else keras.Model(network.input, base(network.layers[-2].output))


def with_embedding(network: KerasModel) -> KerasModel:
    """Let a network also tell what its last layer looks at: its embedding of the picture.

    Args:
        network: as from `build_network`.

    Returns:
        The same network, whose one output holds the probabilities, then the embedding: float32, shape (n, classes +
        features).
    """
    import keras

    inner = _innermost(network)
    embedding = keras.layers.Flatten(name="embedding")(_last_layer(inner).input)
    joined = keras.layers.Concatenate(name="probabilities_and_embedding")([inner.output, embedding])
    both = keras.Model(inner.input, joined, name=f"{inner.name}_with_embedding")
    return both if inner is network else keras.Model(network.input, both(network.layers[-2].output), name=network.name)


def _build_keras_application(name: Network) -> KerasModel:
    import keras

    build = getattr(keras.applications, name, None)
    if not name[:1].isupper() or not callable(build):
        raise ValueError(f"There is no network {name!r}: name {', '.join(VARIANTS)} or a class of keras.applications")
    try:
        network = build(weights="imagenet")
    except Exception as error:
        raise ValueError(
            f"The weights of {name} cannot be downloaded: go online once, or name {', '.join(VARIANTS)} instead"
        ) from error
    pictures = keras.Input(network.input_shape[1:], name="rgb")
    preprocessed = sys.modules[build.__module__].preprocess_input(pictures)
    return keras.Model(pictures, network(preprocessed), name=name)


def _innermost(network: KerasModel) -> KerasModel:
    """A network of `keras.applications` lies inside the model that does its preprocessing."""
    import keras

    last = network.layers[-1]
    return last if isinstance(last, keras.Model) else network


def _last_layer(network: KerasModel) -> "keras.Layer":
    return next(layer for layer in reversed(network.layers) if getattr(layer, "kernel", None) is not None)
