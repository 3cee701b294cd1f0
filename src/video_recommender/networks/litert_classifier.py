"""Run a converted network on the CPU with LiteRT, without TensorFlow."""

import threading
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.media.frames import Frames
from video_recommender.networks.frame_classifier import FramePredictions, resize_frames
from video_recommender.networks.pretrained import Network

FRAMES_PER_CALL: Final = 2
"""Two frames per call are 3 to 5 % faster than one, four are no faster, eight are 7 % slower."""

THREADS: Final = 1
"""Per process: there are as many worker processes as cores."""


class _InterpreterCache(threading.local):
    """The last interpreter of each thread: building one takes as long as several frames."""

    _digest: str | None = None
    _interpreter: Interpreter | None = None

    def get(self, digest: str, flatbuffer: NDArray[np.uint8]) -> Interpreter:
        if self._interpreter is None or self._digest != digest:
            with suppress_stderr():  # XNNPACK logs to stderr in every process
                self._interpreter = Interpreter(model_content=flatbuffer.tobytes(), num_threads=THREADS)
                self._interpreter.allocate_tensors()
            self._digest = digest
        return self._interpreter


_cache = _InterpreterCache()


def load_interpreter(digest: str, flatbuffer: NDArray[np.uint8]) -> Interpreter:
    """Return an interpreter of this thread that is ready to run; the last one is cached.

    Args:
        digest: identifies the network.
        flatbuffer: the converted network, uint8.
    """
    return _cache.get(digest, flatbuffer)


@dataclass(frozen=True)
class LiteRTClassifier:
    """A classifier for LiteRT; it can be pickled and sent to worker processes. Equality compares digests.

    Attributes:
        network: its name.
        class_names: in the order of the outputs.
        digest: of the network's name, weights and class names; converting again gives the same.
        input_size: height and width of its input, pixels.
        flatbuffer: the converted network, uint8; an array, so that joblib maps one copy into all processes.
    """

    network: Network = field(compare=False)
    class_names: tuple[str, ...] = field(compare=False, repr=False)
    digest: str
    input_size: tuple[int, int] = field(compare=False)
    flatbuffer: NDArray[np.uint8] = field(compare=False, repr=False)

    def predict(self, frames: Frames) -> FramePredictions:
        """Predict class probabilities and embeddings; see `FrameClassifier.predict`."""
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
            # No reference to the tensor's memory may outlive the line.
            interpreter.tensor(source["index"])()[:] = batch
            interpreter.invoke()
            outputs[start : start + allocated] = interpreter.tensor(target["index"])()
        return FramePredictions(*np.split(outputs, [len(self.class_names)], axis=1))
