"""Pre-trained ImageNet classifiers by name, and access to their last layers. TensorFlow is imported on demand."""

import functools
import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from importlib.resources import files
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.console_output import quiet_libraries, suppress_stderr
from video_recommender.networks.efficientnet_lite import VARIANTS, build_efficientnet_lite
from video_recommender.schemas import ClassEmbeddings
from video_recommender.storage.digests import fingerprint_bytes

if TYPE_CHECKING:
    import keras

    KerasModel: TypeAlias = keras.Model
else:
    KerasModel: TypeAlias = Any

logger = logging.getLogger(__name__)

R = TypeVar("R")

# TensorFlow's C++ code reports a missing GPU on stderr as an error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Network: TypeAlias = str
"""`efficientnet-lite0`, `efficientnet-lite2`, or a network of `keras.applications` such as `MobileNetV2`."""


def import_tensorflow() -> ModuleType:
    """Import TensorFlow, and suppress the messages that its C++ code writes to stderr."""
    with suppress_stderr():
        import tensorflow as tf
        from absl import logging
    quiet_libraries()
    logging.set_verbosity(logging.ERROR)  # the converter warns about a deprecation in TensorFlow itself
    module: ModuleType = tf
    return module


def run_in_subprocess(function: Callable[..., R], *args: object) -> R:
    """Call a function in a new Python process, so that this process does not import TensorFlow.

    Raises:
        RuntimeError: if the process is killed. Exceptions of the function are raised unchanged.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as executor:
        try:
            return executor.submit(function, *args).result()
        except BrokenExecutor as error:
            raise RuntimeError(
                f"The process that runs {function.__name__} ended unexpectedly: check that 1 GB of memory is free"
            ) from error


@functools.cache
def imagenet_class_names() -> tuple[str, ...]:
    """Read the unique names of the 1,000 classes of ILSVRC 2012 (Russakovsky et al. 2015), in the order of outputs."""
    lines = files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def build_network(name: Network) -> KerasModel:
    """Build a network with preprocessing and ImageNet weights. Keras downloads the weights of `keras.applications`.

    Returns:
        A model from RGB images, 0 to 255, shape (n, height, width, 3), to probabilities, float32, shape (n, 1000).

    Raises:
        ValueError: if the network is unknown or its weights are not available.
    """
    with suppress_stderr():
        import keras  # noqa: F401 - importing TensorFlow writes to stderr
    if name in VARIANTS:
        return build_efficientnet_lite(name)
    return _build_keras_application(name)


def last_layer_weights(network: KerasModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernel, shape (features, classes), and bias, shape (classes,), of the last layer, float32."""
    layer = _last_layer(_innermost(network))
    kernel, bias = _as_array(layer.kernel), _as_array(layer.bias)
    # The last layer is dense or a 1 × 1 convolution; both have the classes on the last axis.
    return kernel.reshape(-1, len(bias)), bias


def class_embeddings(class_weights: NDArray[np.float32], class_names: Sequence[str]) -> DataFrame[ClassEmbeddings]:
    """Tabulate the weights of each class in the last layer, shape (classes, features), neither centred nor normalised.

    The weights of similar classes have similar directions.
    """
    columns = [f"feature_{number}" for number in range(1, class_weights.shape[1] + 1)]
    index = pd.Index(class_names, name="class_name")
    return ClassEmbeddings.validate(pd.DataFrame(np.ascontiguousarray(class_weights), index, columns))


def embedding_model(network: KerasModel) -> KerasModel:
    """Build a model that shares all layers but the last and returns embeddings, float32, shape (n, features)."""
    import keras

    inner = _innermost(network)
    embedding = _last_layer(inner).input
    flat = embedding if len(embedding.shape) == 2 else keras.layers.Flatten(name="flat_embedding")(embedding)
    base = keras.Model(inner.input, flat, name=f"{inner.name}_embedding")
    return base if inner is network else keras.Model(network.input, base(network.layers[-2].output))


def append_embedding(network: KerasModel) -> KerasModel:
    """Build a model that shares all layers and appends the embedding to the outputs, shape (n, classes + features)."""
    import keras

    inner = _innermost(network)
    embedding = keras.layers.Flatten(name="embedding")(_last_layer(inner).input)
    joined = keras.layers.Concatenate(name="probabilities_and_embedding")([inner.output, embedding])
    both = keras.Model(inner.input, joined, name=f"{inner.name}_with_embedding")
    return both if inner is network else keras.Model(network.input, both(network.layers[-2].output), name=network.name)


def digest_weights(model: KerasModel) -> str:
    """Compute the digest of a network's weights: 32 hexadecimal digits."""
    return fingerprint_bytes(b"".join(_as_array(variable).tobytes() for variable in model.weights))


def _build_keras_application(name: Network) -> KerasModel:
    import keras

    build = getattr(keras.applications, name, None)
    if not name[:1].isupper() or not callable(build):
        raise ValueError(f"Unknown network {name!r}: select {', '.join(VARIANTS)} or a class of keras.applications")
    try:
        network = build(weights="imagenet")
    except Exception as error:  # Keras raises plain Exception if a download fails
        logger.exception("Keras cannot load the weights of %s", name)
        raise ValueError(
            f"The weights of {name} cannot be downloaded: connect to the internet once, "
            f"or select {', '.join(VARIANTS)} instead"
        ) from error
    images = keras.Input(network.input_shape[1:], name="rgb")
    preprocessed = sys.modules[build.__module__].preprocess_input(images)
    return keras.Model(images, network(preprocessed), name=name)


def _innermost(network: KerasModel) -> KerasModel:
    """Return the network of `keras.applications` that is nested in the model with its preprocessing."""
    import keras

    last = network.layers[-1]
    return last if isinstance(last, keras.Model) else network


def _last_layer(network: KerasModel) -> "keras.Layer":
    return next(layer for layer in reversed(network.layers) if getattr(layer, "kernel", None) is not None)


def _as_array(variable: "keras.Variable") -> NDArray[np.float32]:
    """Copy a weight without `keras.Variable.__array__`, which causes a warning in NumPy 2."""
    array: NDArray[np.float32] = variable.value.numpy()
    return array
