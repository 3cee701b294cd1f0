"""A network compiled for the CPU: names the object in a picture without TensorFlow."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.media.frames import Frames
from video_recommender.networks.efficientnet_lite import EfficientNetLite
from video_recommender.networks.frame_classifier import (
    FrameDescriptions,
    fingerprint_weights,
    fit_to_network,
    names_of_outputs,
)
from video_recommender.networks.imagenet_classes import imagenet_class_names
from video_recommender.networks.litert_interpreter import load_interpreter
from video_recommender.networks.pretrained import KerasModel, Network, with_embedding
from video_recommender.storage.digests import fingerprint

VERSION = 1
"""Raised when the same network would give other probabilities than before."""

FRAMES_PER_CALL: Final = 2
"""Of the networks that are written here: two at a time are 3 to 5 % faster than one, four no more, eight 7 % slower.
What TensorFlow converts may hold shapes of one picture, so it is asked for one at a time."""


@dataclass(frozen=True)
class LiteRTClassifier:
    """A network for LiteRT, with the names of its classes; it can be pickled and sent to worker processes.

    Two of them are equal if their fingerprints are.

    Attributes:
        network: its name.
        class_names: in the order of its outputs.
        fingerprint: digest of the network's name, weights and class names; the same each time they are compiled.
        input_size: height and width of the pictures that it reads, pixels.
        flatbuffer: the compiled network, uint8; an array, so that joblib shares one copy among all processes.
        frames_per_call: how many frames the network reads at a time; it makes no difference to what it tells.
    """

    network: Network = field(compare=False)
    class_names: tuple[str, ...] = field(compare=False, repr=False)
    fingerprint: str
    input_size: tuple[int, int] = field(compare=False)
    flatbuffer: NDArray[np.uint8] = field(compare=False, repr=False)
    frames_per_call: int = field(default=1, compare=False)

    def probabilities(self, frames: Frames) -> NDArray[np.float32]:
        """Tell how probable each class is in each frame.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3); frames of another size than `input_size` are resized.

        Returns:
            float32, shape (n, classes); each row sums to 1.
        """
        return self.describe(frames).probabilities

    def describe(self, frames: Frames) -> FrameDescriptions:
        """Tell how probable each class is in each frame, and what the network's last layer has looked at.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3); frames of another size than `input_size` are resized.

        Returns:
            See `FrameDescriptions`.
        """
        interpreter = load_interpreter(self.fingerprint, self.flatbuffer)
        (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
        room, fitted = source["shape"][0], fit_to_network(frames, self.input_size)
        outputs = np.empty((len(frames), target["shape"][-1]), np.float32)
        for start in range(0, len(frames), self.frames_per_call):
            pictures = fitted[start : start + self.frames_per_call]
            if len(pictures) != room:  # to make room takes a tenth of a millisecond, and so does each look at details
                room = len(pictures)
                interpreter.resize_tensor_input(source["index"], [room, *source["shape"][1:]])
                interpreter.allocate_tensors()
            # Written in place; no reference to the tensor's memory may outlive the line.
            interpreter.tensor(source["index"])()[:] = pictures
            interpreter.invoke()
            outputs[start : start + room] = interpreter.tensor(target["index"])()
        return FrameDescriptions(*np.split(outputs, [len(self.class_names)], axis=1))


def compile_for_cpu(
    model: KerasModel, network: Network, class_names: tuple[str, ...] | None = None
) -> LiteRTClassifier:
    """Compile a network for LiteRT, in float32: quantised weights are no faster on current x86 processors.

    Args:
        model: as from `build_network`.
        network: its name.
        class_names: in the order of its outputs; ImageNet's if not given.

    Returns:
        The classifier. The same model gives the same bytes.

    Raises:
        ValueError: if the model has another number of outputs than there are names.
    """
    names = names_of_outputs(model, network, class_names)
    _batch, height, width, _channels = model.input_shape
    return LiteRTClassifier(
        network=network,
        class_names=names,
        fingerprint=fingerprint(VERSION, network, fingerprint_weights(model), list(names)),
        input_size=(height, width),
        flatbuffer=np.frombuffer(_convert(with_embedding(model)), np.uint8),
    )


def write_for_cpu(network: EfficientNetLite) -> LiteRTClassifier:
    """Write a network for LiteRT without TensorFlow, which would take fifteen seconds and a gigabyte to do the same.

    Args:
        network: as from `read_efficientnet_lite`.

    Returns:
        The classifier. The same network gives the same bytes on every machine; `compile_for_cpu` gives others, since
        TensorFlow takes square roots as each processor approximates them: probabilities differ by less than 0.00001.
    """
    names, size = imagenet_class_names(), network.variant.input_size
    return LiteRTClassifier(
        network=network.name,
        class_names=names,
        fingerprint=fingerprint("written", VERSION, network.name, network.variant.sha256, list(names)),
        input_size=(size, size),
        flatbuffer=np.frombuffer(network.write_flatbuffer(), np.uint8),
        frames_per_call=FRAMES_PER_CALL,
    )


def _convert(model: KerasModel) -> bytes:
    import tensorflow as tf
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # the converter warns of a deprecation within TensorFlow itself
    one_picture = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, name="rgb")
    function = tf.function(lambda rgb: model(rgb, training=False)).get_concrete_function(one_picture)
    with suppress_stderr():
        # By way of a SavedModel, as TensorFlow would rather have it, this takes 10 s instead of 2.
        converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    return converted
