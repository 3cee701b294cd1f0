"""A network run by Keras: names the object in a picture on a GPU, or on the CPU where there is none."""

import logging
import math
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Final

import numpy as np

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.media.frames import Frames
from video_recommender.networks.frame_classifier import (
    FrameClassifier,
    FrameDescriptions,
    fingerprint_weights,
    fit_to_network,
    names_of_outputs,
)
from video_recommender.networks.pretrained import KerasModel, Network, with_embedding
from video_recommender.networks.shared_network import Outputs, SharedNetwork
from video_recommender.storage.digests import fingerprint

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised when the same network would give other probabilities than before."""

MOST_FRAMES: Final = 256
FRAMES_ON_CPU: Final = 32

TENSORS_IN_MEMORY: Final = 4
"""What a frame needs, in tensors as large as the network's largest: input and output of a layer, and room to work."""

# TensorFlow would take all of a GPU's memory at its first use, which another node of this process may make.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@dataclass(frozen=True)
class KerasClassifier:
    """A network for Keras, with the names of its classes; many threads may use it at once. It can be pickled.

    Two of them are equal if their fingerprints are.

    Attributes:
        network: its name.
        class_names: in the order of its outputs.
        fingerprint: digest of the network's name, weights and class names; another one than LiteRT's, whose numbers
            differ in the last digits.
        model: the network, with the embedding beside the probabilities.
    """

    network: Network = field(compare=False)
    class_names: tuple[str, ...] = field(compare=False, repr=False)
    fingerprint: str
    model: KerasModel = field(compare=False, repr=False)

    def describe(self, frames: Frames) -> FrameDescriptions:
        """Tell how probable each class is in each frame, and what the network's last layer has looked at.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3), at least one; frames of another size than the network
                reads are resized.

        Returns:
            See `FrameDescriptions`.
        """
        _batch, height, width, _channels = self.model.input_shape
        outputs = self._shared(fit_to_network(frames, (height, width)))
        return FrameDescriptions(*np.split(outputs, [len(self.class_names)], axis=1))

    def __getstate__(self) -> Mapping[str, object]:
        """Leave out what is built again where it is used."""
        return {attribute.name: getattr(self, attribute.name) for attribute in fields(self)}

    @cached_property
    def _shared(self) -> SharedNetwork:
        import tensorflow as tf

        pictures = tf.TensorSpec([None, *self.model.input_shape[1:]], tf.uint8, name="rgb")
        run = tf.function(lambda rgb: self.model(tf.cast(rgb, tf.float32), training=False), input_signature=[pictures])

        def predict(frames: Frames) -> Outputs:
            outputs: Outputs = run(frames).numpy()
            return outputs

        if tf.config.list_physical_devices("GPU"):
            most_frames = frames_that_fit(self.model, free_gpu_bytes())
            logger.info("%s runs on the GPU, at most %d frames at a time", self.network, most_frames)
        else:
            most_frames = FRAMES_ON_CPU
            logger.warning("TensorFlow sees no GPU: %s runs on the CPU, where LiteRT is faster", self.network)
        return SharedNetwork(predict, most_frames, tf.errors.ResourceExhaustedError)


def load_into_keras(model: KerasModel, network: Network, class_names: tuple[str, ...] | None = None) -> KerasClassifier:
    """Prepare a network for Keras.

    Args:
        model: as from `build_network`.
        network: its name.
        class_names: in the order of its outputs; ImageNet's if not given.

    Raises:
        ValueError: if the model has another number of outputs than there are names.
    """
    names = names_of_outputs(model, network, class_names)
    return KerasClassifier(
        network=network,
        class_names=names,
        fingerprint=fingerprint("keras", VERSION, network, fingerprint_weights(model), list(names)),
        model=with_embedding(model),
    )


def workers_for(classifier: FrameClassifier, workers: WorkerOptions) -> WorkerOptions:
    """Tell who decodes frames for a network: threads of this process if Keras runs it, since there is one GPU.

    Args:
        classifier: the network.
        workers: who was asked for; as many threads are taken.
    """
    if not isinstance(classifier, KerasClassifier) or workers.backend == "sequential":
        return workers
    return WorkerOptions(backend="threading", jobs=workers.jobs)


def frames_that_fit(model: KerasModel, free_bytes: int | None) -> int:
    """Estimate how many frames a network can read at a time; half of the memory is left to what is not foreseen.

    Args:
        model: the network, in float32.
        free_bytes: of the GPU; None if it is not known.

    Returns:
        1 to `MOST_FRAMES`.
    """
    if free_bytes is None:
        return MOST_FRAMES
    bytes_per_frame = TENSORS_IN_MEMORY * np.dtype(np.float32).itemsize * _largest_tensor(model)
    return int(np.clip(free_bytes // 2 // bytes_per_frame, 1, MOST_FRAMES))


def free_gpu_bytes() -> int | None:
    """Ask the driver for the free memory of the fullest GPU: TensorFlow does not tell, and may use any of them.

    Returns:
        Bytes; None if the driver's `nvidia-smi` is missing or cannot tell.
    """
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return min(int(mebibytes) for mebibytes in answer.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _largest_tensor(model: KerasModel) -> int:
    """A network of `keras.applications` lies inside the model that does its preprocessing."""
    import keras

    return max(
        _largest_tensor(layer) if isinstance(layer, keras.Model) else math.prod(layer.output.shape[1:])
        for layer in model.layers
    )
