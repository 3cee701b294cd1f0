"""Compiled networks, loaded once: building an interpreter takes as long as a few frames."""

import threading
from typing import Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr

THREADS: Final = 1
"""Per process: videos are dealt out to as many processes as there are cores."""


class _Loaded(threading.local):
    """The interpreter that this thread has used last."""

    _of: str | None = None
    _interpreter: Interpreter | None = None

    def interpreter(self, fingerprint: str, flatbuffer: NDArray[np.uint8]) -> Interpreter:
        if self._interpreter is None or self._of != fingerprint:
            with suppress_stderr():  # XNNPACK announces itself in every process, into the progress bar
                self._interpreter = Interpreter(model_content=flatbuffer.tobytes(), num_threads=THREADS)
                self._interpreter.allocate_tensors()
            self._of = fingerprint
        return self._interpreter


_loaded = _Loaded()


def load_interpreter(fingerprint: str, flatbuffer: NDArray[np.uint8]) -> Interpreter:
    """Get a network ready to run in this thread; the last one is kept.

    Args:
        fingerprint: tells it from others.
        flatbuffer: the compiled network, uint8.
    """
    return _loaded.interpreter(fingerprint, flatbuffer)
