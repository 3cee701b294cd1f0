"""Run a network with Keras: on a GPU, or on the CPU if there is none."""

import logging
import math
import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Frames
from video_recommender.networks.frame_classifier import (
    FramePredictions,
    output_names,
    resize_frames,
)
from video_recommender.networks.pretrained import KerasModel, Network, append_embedding, digest_weights
from video_recommender.storage.digests import fingerprint

logger = logging.getLogger(__name__)

VERSION: Final = 1
"""Increment when the same network would give other probabilities than before."""

MAX_BATCH_FRAMES: Final = 256
CPU_BATCH_FRAMES: Final = 32

TENSORS_PER_FRAME: Final = 4
"""Memory that one frame needs, in tensors as large as the network's largest: a layer's input, output and workspace."""

Outputs = NDArray[np.float32]
"""A row per frame: float32, shape (n, outputs)."""

# Otherwise TensorFlow allocates all GPU memory at its first use, which may be in another node of this process.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


@dataclass(frozen=True)
class KerasClassifier:
    """A classifier for Keras; threads may share it, and it can be pickled. Equality compares digests.

    Attributes:
        network: its name.
        class_names: in the order of the outputs.
        digest: of the network's name, weights and class names; differs from LiteRT's, whose results differ in the last
            digits.
        model: the network, with the embedding appended to the probabilities.
    """

    network: Network = field(compare=False)
    class_names: tuple[str, ...] = field(compare=False, repr=False)
    digest: str
    model: KerasModel = field(compare=False, repr=False)

    def predict(self, frames: Frames) -> FramePredictions:
        """Predict class probabilities and embeddings; see `FrameClassifier.predict`."""
        _batch, height, width, _channels = self.model.input_shape
        outputs = self._predictor(resize_frames(frames, (height, width)))
        return FramePredictions(*np.split(outputs, [len(self.class_names)], axis=1))

    def __getstate__(self) -> Mapping[str, object]:
        """Omit the cached predictor, which each process builds itself."""
        return {attribute.name: getattr(self, attribute.name) for attribute in fields(self)}

    @cached_property
    def _predictor(self) -> "BatchingPredictor":
        import tensorflow as tf

        pictures = tf.TensorSpec([None, *self.model.input_shape[1:]], tf.uint8, name="rgb")
        run = tf.function(lambda rgb: self.model(tf.cast(rgb, tf.float32), training=False), input_signature=[pictures])

        def predict(frames: Frames) -> Outputs:
            outputs: Outputs = run(frames).numpy()
            return outputs

        if tf.config.list_physical_devices("GPU"):
            batch_frames = max_batch_frames(self.model, free_gpu_bytes())
            logger.info("%s runs on the GPU, at most %d frames per batch", self.network, batch_frames)
        else:
            batch_frames = CPU_BATCH_FRAMES
            logger.warning("TensorFlow finds no GPU: %s runs on the CPU, where LiteRT is faster", self.network)
        return BatchingPredictor(predict, batch_frames, tf.errors.ResourceExhaustedError)


def make_keras_classifier(
    model: KerasModel, network: Network, class_names: tuple[str, ...] | None = None
) -> KerasClassifier:
    """Prepare a network for Keras.

    Args:
        model: as from `build_network`.
        network: its name.
        class_names: in the order of the outputs; ImageNet's if not given.

    Raises:
        ValueError: if the number of names is not the number of outputs.
    """
    names = output_names(model, network, class_names)
    return KerasClassifier(
        network=network,
        class_names=names,
        digest=fingerprint("keras", VERSION, network, digest_weights(model), list(names)),
        model=append_embedding(model),
    )


def max_batch_frames(model: KerasModel, free_bytes: int | None) -> int:
    """Estimate how many frames fit into half of the free GPU memory.

    Args:
        model: the network, in float32.
        free_bytes: of the GPU; None if unknown.

    Returns:
        1 to `MAX_BATCH_FRAMES`.
    """
    if free_bytes is None:
        return MAX_BATCH_FRAMES
    bytes_per_frame = TENSORS_PER_FRAME * np.dtype(np.float32).itemsize * _largest_tensor(model)
    return int(np.clip(free_bytes // 2 // bytes_per_frame, 1, MAX_BATCH_FRAMES))


def free_gpu_bytes() -> int | None:
    """Ask `nvidia-smi` for the free memory of the GPU that has least, since TensorFlow may use any of them.

    Returns:
        Bytes; None if `nvidia-smi` is missing or gives no number.
    """
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return min(int(mebibytes) for mebibytes in answer.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


class BatchingPredictor:
    """Runs one network for many threads, in batches that contain the frames of all threads that wait.

    Args:
        predict: runs the network; never called by two threads at once.
        max_frames: largest batch to try.
        out_of_memory: what `predict` raises if a batch is too large; the batch size is halved then.
    """

    def __init__(self, predict: Callable[[Frames], Outputs], max_frames: int, out_of_memory: type[Exception]) -> None:
        self._predict = predict
        self._max_frames = max_frames
        self._out_of_memory = out_of_memory
        self._waiting: deque[_Request] = deque()
        self._lock = threading.Lock()

    def __call__(self, frames: Frames) -> Outputs:
        """Run the network over frames.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3), at least one; of the same size for all callers.
        """
        request = _Request(frames)
        self._waiting.append(request)
        with self._lock:
            if not request.result.done():
                self._run([self._waiting.popleft() for _ in range(len(self._waiting))])
        return request.result.result()

    def _run(self, requests: "list[_Request]") -> None:
        try:
            outputs = self._predict_in_batches(np.concatenate([request.frames for request in requests]))
        except BaseException as error:  # noqa: BLE001 - raised again in every thread that waits
            for request in requests:
                request.result.set_exception(error)
            return
        ends = np.cumsum([len(request.frames) for request in requests])
        for request, rows in zip(requests, np.split(outputs, ends[:-1]), strict=True):
            request.result.set_result(rows)

    def _predict_in_batches(self, frames: Frames) -> Outputs:
        outputs: list[Outputs] = []
        start = 0
        while start < len(frames):
            # Powers of two only: a GPU is tuned for each new batch size, which takes seconds.
            size = 1 << (min(self._max_frames, len(frames) - start).bit_length() - 1)
            try:
                outputs.append(self._predict(frames[start : start + size]))
            except self._out_of_memory:
                if size == 1:
                    raise
                self._max_frames = size // 2
                logger.warning("A batch of %d frames exceeds the memory: at most %d from now on", size, size // 2)
            else:
                start += size
        return np.concatenate(outputs)


@dataclass(frozen=True)
class _Request:
    frames: Frames
    result: "Future[Outputs]" = field(default_factory=Future)


def _largest_tensor(model: KerasModel) -> int:
    """Number of elements per frame; a network of `keras.applications` is nested in the model."""
    import keras

    return max(
        _largest_tensor(layer) if isinstance(layer, keras.Model) else math.prod(layer.output.shape[1:])
        for layer in model.layers
    )
