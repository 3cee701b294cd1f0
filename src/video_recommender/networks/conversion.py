"""Convert networks to LiteRT with TensorFlow's converter."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from types import ModuleType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.networks.frame_classifier import LiteRTClassifier, output_names
from video_recommender.networks.pretrained import (
    KerasModel,
    Network,
    append_embedding,
    build_network,
    digest_weights,
    last_layer_weights,
)
from video_recommender.storage.digests import fingerprint

R = TypeVar("R")


def run_in_subprocess(function: Callable[..., R], *args: object) -> R:
    """Call a function in a new Python process, so that this process does not import TensorFlow, which takes 1 GB.

    Raises:
        RuntimeError: if the process is killed; other exceptions are those of the function.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as executor:
        try:
            return executor.submit(function, *args).result()
        except BrokenExecutor as error:
            raise RuntimeError(
                f"The process that runs {function.__name__} ended unexpectedly: check that 1 GB of memory is free"
            ) from error


def convert_pretrained(network: Network) -> tuple[LiteRTClassifier, NDArray[np.float32]]:
    """Build a pre-trained network and convert it; to be called by `run_in_subprocess`.

    The second result is the weights of the last layer, shape (classes, features).
    """
    model = build_network(network)
    return convert_classifier(model, network), last_layer_weights(model)[0].T


def convert_classifier(
    model: KerasModel, network: Network, class_names: tuple[str, ...] | None = None
) -> LiteRTClassifier:
    """Convert a network, as from `build_network`, in float32: quantised weights are no faster on current x86 CPUs."""
    names = output_names(model, network, class_names)
    _batch, height, width, _channels = model.input_shape
    digest = fingerprint(network, digest_weights(model), list(names))
    return LiteRTClassifier(network, names, digest, (height, width), _convert(append_embedding(model)))


def import_tensorflow() -> ModuleType:
    """Import TensorFlow without what its C++ code writes to stderr."""
    with suppress_stderr():
        import tensorflow as tf
        from absl import logging
    logging.set_verbosity(logging.ERROR)  # the converter warns of a deprecation within TensorFlow itself
    module: ModuleType = tf
    return module


def _convert(model: KerasModel) -> NDArray[np.uint8]:
    tf = import_tensorflow()
    # The batch size stays open: a graph for one picture may contain reshapes that reject two.
    pictures = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name="rgb")
    function = tf.function(lambda rgb: model(rgb, training=False)).get_concrete_function(pictures)
    with suppress_stderr():
        # By way of a SavedModel, as TensorFlow recommends, this takes 10 s instead of 2.
        converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    return np.frombuffer(converted, np.uint8)
