"""Networks that classify frames with LiteRT on the CPU (without TensorFlow) or with Keras on a GPU."""

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
from typing import ClassVar, Final, TypeAlias

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.media.frames import Frames
from video_recommender.networks.pretrained import (
    KerasModel,
    Network,
    append_embedding,
    build_network,
    digest_weights,
    imagenet_class_names,
    import_tensorflow,
    last_layer_weights,
)
from video_recommender.storage.digests import fingerprint

FRAMES_PER_CALL: Final = 2
"""Batch size of LiteRT: two frames are faster than one, but larger batches are not faster than two frames."""

THREADS: Final = 1  # per LiteRT process, because there are as many worker processes as cores
MAX_BATCH_FRAMES: Final = 256
CPU_BATCH_FRAMES: Final = 32
TENSORS_PER_FRAME: Final = 4
"""Memory per frame, in multiples of the network's largest tensor: input, output and workspace of a layer."""

Embeddings = NDArray[np.float32]  # output of the penultimate layer: float32, shape (…, features)

Outputs = NDArray[np.float32]  # outputs of a network: float32, shape (n, outputs)

# Otherwise TensorFlow allocates all GPU memory at its first use, even in another node of this process.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FramePredictions:
    """Predictions for n frames: probabilities, shape (n, classes), and embeddings, shape (n, features)."""

    probabilities: NDArray[np.float32]
    embeddings: Embeddings

    def select(self, rows: NDArray[np.int64]) -> "FramePredictions":
        """Select or repeat frames by index."""
        return FramePredictions(self.probabilities[rows], self.embeddings[rows])

    def append(self, other: "FramePredictions") -> "FramePredictions":
        """Concatenate the predictions for these and other frames."""
        return FramePredictions(
            np.concatenate([self.probabilities, other.probabilities]),
            np.concatenate([self.embeddings, other.embeddings]),
        )


@dataclass(frozen=True)
class LiteRTClassifier:
    """Classifier for LiteRT, compared by digest. It can be sent to worker processes.

    Attributes:
        digest: digest of the network's name, weights and class names. It does not depend on the conversion.
        input_size: height and width of the network's input, pixels.
        flatbuffer: the converted network, uint8. It is an array because joblib shares arrays among processes.
    """

    network: Network = field(compare=False)
    class_names: tuple[str, ...] = field(compare=False, repr=False)
    digest: str
    input_size: tuple[int, int] = field(compare=False)
    flatbuffer: NDArray[np.uint8] = field(compare=False, repr=False)

    def predict(self, frames: Frames) -> FramePredictions:
        """Predict class probabilities and embeddings.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3), n ≥ 1, of any size.
        """
        interpreter = load_interpreter(self.digest, self.flatbuffer)
        (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
        allocated, resized = source["shape"][0], resize_frames(frames, self.input_size)
        outputs = np.empty((len(frames), target["shape"][-1]), np.float32)
        for start in range(0, len(frames), FRAMES_PER_CALL):
            batch = resized[start : start + FRAMES_PER_CALL]
            if len(batch) != allocated:  # allocating takes 0.1 ms
                allocated = len(batch)
                interpreter.resize_tensor_input(source["index"], [allocated, *source["shape"][1:]])
                interpreter.allocate_tensors()
            # A reference to the tensor's memory must not outlive its statement.
            interpreter.tensor(source["index"])()[:] = batch
            interpreter.invoke()
            outputs[start : start + allocated] = interpreter.tensor(target["index"])()
        return FramePredictions(*np.split(outputs, [len(self.class_names)], axis=1))


@dataclass(frozen=True)
class KerasClassifier:
    """Classifier for Keras, compared by digest. Threads can share it, and it can be pickled.

    Attributes:
        stays_in_process: whether workers are threads. Processes would compete for the memory of one GPU.
        digest: digest of network name, weights, class names and engine, because results of LiteRT differ slightly.
        model: the network, which returns the probabilities followed by the embedding.
    """

    stays_in_process: ClassVar[bool] = True

    network: Network = field(compare=False)
    class_names: tuple[str, ...] = field(compare=False, repr=False)
    digest: str
    model: KerasModel = field(compare=False, repr=False)

    def predict(self, frames: Frames) -> FramePredictions:
        """Predict class probabilities and embeddings; see `LiteRTClassifier.predict`."""
        _batch, height, width, _channels = self.model.input_shape
        outputs = self._predictor(resize_frames(frames, (height, width)))
        return FramePredictions(*np.split(outputs, [len(self.class_names)], axis=1))

    def __getstate__(self) -> Mapping[str, object]:
        """Omit the cached predictor, because each process builds a new one."""
        return {attribute.name: getattr(self, attribute.name) for attribute in fields(self)}

    @cached_property
    def _predictor(self) -> "BatchingPredictor":
        import tensorflow as tf

        images = tf.TensorSpec([None, *self.model.input_shape[1:]], tf.uint8, name="rgb")
        run = tf.function(lambda rgb: self.model(tf.cast(rgb, tf.float32), training=False), input_signature=[images])

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


FrameClassifier: TypeAlias = LiteRTClassifier | KerasClassifier
"""Classes instead of a protocol, so that a change of their code makes the results of nodes that use them stale."""


def convert_pretrained(network: Network) -> tuple[LiteRTClassifier, NDArray[np.float32]]:
    """Build a pre-trained network and convert it to LiteRT. Call this function with `run_in_subprocess`.

    The second returned value contains the weights of the last layer, shape (classes, features).
    """
    model = build_network(network)
    return convert_classifier(model, network), last_layer_weights(model)[0].T


def convert_classifier(
    model: KerasModel, network: Network, class_names: tuple[str, ...] | None = None
) -> LiteRTClassifier:
    """Convert a network of `build_network` to LiteRT in float32, because quantised weights are no faster on x86."""
    names = output_names(model, network, class_names)
    _batch, height, width, _channels = model.input_shape
    digest = fingerprint(network, digest_weights(model), list(names))
    return LiteRTClassifier(network, names, digest, (height, width), _convert(append_embedding(model)))


def make_keras_classifier(
    model: KerasModel, network: Network, class_names: tuple[str, ...] | None = None
) -> KerasClassifier:
    """Prepare a network of `build_network` for inference with Keras; see `output_names`."""
    names = output_names(model, network, class_names)
    digest = fingerprint("keras", network, digest_weights(model), list(names))
    return KerasClassifier(network, names, digest, append_embedding(model))


def output_names(model: KerasModel, network: Network, class_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the class names (default: ImageNet). Raises a `ValueError` if the number of outputs differs."""
    names = class_names or imagenet_class_names()
    if model.output_shape[-1] != len(names):
        raise ValueError(f"{network} has {model.output_shape[-1]} outputs, but {len(names)} class names")
    return names


def resize_frames(frames: Frames, size: tuple[int, int]) -> Frames:
    """Resize frames, shape (n, height, width, 3), to a height and width in pixels."""
    height, width = size
    if frames.shape[1:3] == size:
        return frames
    shrinks = frames.shape[1] >= height and frames.shape[2] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.empty((len(frames), height, width, 3), np.uint8)
    for image, frame in zip(resized, frames, strict=True):
        cv2.resize(frame, (width, height), image, interpolation=method)
    return resized


def _convert(model: KerasModel) -> NDArray[np.uint8]:
    tf = import_tensorflow()
    # With a fixed batch size of 1, the graph can contain reshapes that reject two images.
    images = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name="rgb")
    function = tf.function(lambda rgb: model(rgb, training=False)).get_concrete_function(images)
    with suppress_stderr():
        # Conversion from a SavedModel, which TensorFlow recommends, is five times slower.
        converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    return np.frombuffer(converted, np.uint8)


class _InterpreterCache(threading.local):
    """The last interpreter of each thread. Creating an interpreter takes as long as classifying several frames."""

    digest: str | None = None
    interpreter: Interpreter | None = None


_cache = _InterpreterCache()


def load_interpreter(digest: str, flatbuffer: NDArray[np.uint8]) -> Interpreter:
    """Return an interpreter that is ready to run a converted network. The last interpreter of each thread is cached."""
    if _cache.interpreter is None or _cache.digest != digest:
        with suppress_stderr():  # XNNPACK writes to stderr in every process
            _cache.interpreter = Interpreter(model_content=flatbuffer.tobytes(), num_threads=THREADS)
            _cache.interpreter.allocate_tensors()
        _cache.digest = digest
    return _cache.interpreter


def max_batch_frames(model: KerasModel, free_bytes: int | None) -> int:
    """Estimate how many frames fit into half of the free GPU memory, at most `MAX_BATCH_FRAMES`."""
    if free_bytes is None:
        return MAX_BATCH_FRAMES
    bytes_per_frame = TENSORS_PER_FRAME * np.dtype(np.float32).itemsize * _largest_tensor(model)
    return int(np.clip(free_bytes // 2 // bytes_per_frame, 1, MAX_BATCH_FRAMES))


def _largest_tensor(model: KerasModel) -> int:
    """Return the number of elements per frame in the largest output of a layer, including layers of nested models."""
    import keras

    return max(
        _largest_tensor(layer) if isinstance(layer, keras.Model) else math.prod(layer.output.shape[1:])
        for layer in model.layers
    )


def free_gpu_bytes() -> int | None:
    """Return the free memory of the fullest GPU in bytes, as reported by `nvidia-smi`, or None if it is unknown."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return min(int(mebibytes) for mebibytes in answer.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


class BatchingPredictor:
    """Runs one network for many threads, in batches that contain the frames of all waiting threads.

    Batches contain at most `max_frames`, which is halved when `predict` raises `out_of_memory`. Only one thread at a
    time calls `predict`.
    """

    def __init__(self, predict: Callable[[Frames], Outputs], max_frames: int, out_of_memory: type[Exception]) -> None:
        self._predict = predict
        self._max_frames = max_frames
        self._out_of_memory = out_of_memory
        self._waiting: deque[tuple[Frames, Future[Outputs]]] = deque()
        self._lock = threading.Lock()

    def __call__(self, frames: Frames) -> Outputs:
        """Run the network on frames, shape (n, height, width, 3), n ≥ 1. All callers must use the same size."""
        result: Future[Outputs] = Future()
        self._waiting.append((frames, result))
        with self._lock:
            if not result.done():
                self._run([self._waiting.popleft() for _ in range(len(self._waiting))])
        return result.result()

    def _run(self, requests: list[tuple[Frames, "Future[Outputs]"]]) -> None:
        try:
            outputs = self._predict_in_batches(np.concatenate([frames for frames, _ in requests]))
        except BaseException as error:  # noqa: BLE001 - raised again in every waiting thread
            for _, result in requests:
                result.set_exception(error)
            return
        ends = np.cumsum([len(frames) for frames, _ in requests])
        for (_, result), rows in zip(requests, np.split(outputs, ends[:-1]), strict=True):
            result.set_result(rows)

    def _predict_in_batches(self, frames: Frames) -> Outputs:
        outputs: list[Outputs] = []
        start = 0
        while start < len(frames):
            # Sizes are powers of two, because the GPU libraries tune each new batch size, which takes seconds.
            size = 1 << (min(self._max_frames, len(frames) - start).bit_length() - 1)
            try:
                outputs.append(self._predict(frames[start : start + size]))
            except self._out_of_memory:
                if size == 1:
                    raise
                self._max_frames = size // 2
                logger.warning("A batch of %d frames exceeds the GPU memory: reducing batches to %d", size, size // 2)
            else:
                start += size
        return np.concatenate(outputs)
