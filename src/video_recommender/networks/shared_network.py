"""One network for many threads: whoever's turn it is asks it about the frames of all who wait, in batches that fit."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Frames

logger = logging.getLogger(__name__)

Outputs = NDArray[np.float32]
"""A row per frame: float32, shape (n, outputs)."""


@dataclass(frozen=True)
class _Question:
    frames: Frames
    answer: "Future[Outputs]" = field(default_factory=Future)


class SharedNetwork:
    """A network that runs in one place, such as a GPU, and is asked by threads that decode frames meanwhile.

    Args:
        predict: runs the network over at most `most_frames` frames; never called by two threads at once.
        most_frames: how many frames to try at a time.
        no_memory: what `predict` raises if they were too many; half of them are tried then, and so on.
    """

    def __init__(self, predict: Callable[[Frames], Outputs], most_frames: int, no_memory: type[Exception]) -> None:
        self._predict = predict
        self._most_frames = most_frames
        self._no_memory = no_memory
        self._waiting: deque[_Question] = deque()
        self._turn = threading.Lock()

    def __call__(self, frames: Frames) -> Outputs:
        """Run the network over frames, together with those that other threads wait for.

        Args:
            frames: uint8 RGB, shape (n, height, width, 3), at least one; all callers' of one size.

        Returns:
            A row per frame.
        """
        question = _Question(frames)
        self._waiting.append(question)
        with self._turn:
            if not question.answer.done():
                self._answer([self._waiting.popleft() for _ in range(len(self._waiting))])
        return question.answer.result()

    def _answer(self, questions: list[_Question]) -> None:
        try:
            outputs = self._in_batches(np.concatenate([question.frames for question in questions]))
        except BaseException as error:  # noqa: BLE001 - every thread that waits has to hear of it
            for question in questions:
                question.answer.set_exception(error)
            return
        ends = np.cumsum([len(question.frames) for question in questions])
        for question, rows in zip(questions, np.split(outputs, ends[:-1]), strict=True):
            question.answer.set_result(rows)

    def _in_batches(self, frames: Frames) -> Outputs:
        outputs: list[Outputs] = []
        start = 0
        while start < len(frames):
            # Powers of two: a GPU tunes itself to each size of batch that is new to it, which takes seconds.
            size = _power_of_two(min(self._most_frames, len(frames) - start))
            try:
                outputs.append(self._predict(frames[start : start + size]))
            except self._no_memory:
                if size == 1:
                    raise
                self._most_frames = size // 2
                logger.warning("%d frames at a time are too many for the memory: %d from now on", size, size // 2)
            else:
                start += size
        return np.concatenate(outputs)


def _power_of_two(number: int) -> int:
    return 1 << (number.bit_length() - 1)
