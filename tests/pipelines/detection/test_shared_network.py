import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.shared_network import Outputs, SharedNetwork


def numbered(*numbers: int) -> Frames:
    return np.array(numbers, np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]


class SmallMemory:
    """Stands in for a GPU, of which none can be had in a test: gives each frame's number, unless there are too many."""

    def __init__(self, fits: int) -> None:
        self.fits = fits
        self.tried: list[int] = []

    def __call__(self, frames: Frames) -> Outputs:
        self.tried.append(len(frames))
        if len(frames) > self.fits:
            raise MemoryError
        return frames[:, 0, 0].astype(np.float32)


def test_frames_that_do_not_fit_are_halved_and_no_frame_is_lost() -> None:
    gpu = SmallMemory(fits=3)
    ask = SharedNetwork(gpu, 16, MemoryError)

    assert ask(numbered(*range(20)))[:, 0].tolist() == list(range(20))
    assert gpu.tried == [16, 8, 4, *[2] * 10]


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    gpu = SmallMemory(fits=3)
    ask = SharedNetwork(gpu, 16, MemoryError)
    ask(numbered(*range(16)))
    gpu.tried.clear()

    ask(numbered(*range(16)))

    assert gpu.tried == [2] * 8


def test_batches_have_few_sizes() -> None:
    gpu = SmallMemory(fits=100)

    SharedNetwork(gpu, 20, MemoryError)(numbered(*range(43)))

    assert gpu.tried == [16, 16, 8, 2, 1]


def test_a_single_frame_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(MemoryError):
        SharedNetwork(SmallMemory(fits=0), 16, MemoryError)(numbered(1))


def test_threads_that_wait_are_answered_together_and_each_gets_its_own() -> None:
    is_busy, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []

    def predict(frames: Frames) -> Outputs:
        sizes.append(len(frames))
        is_busy.set()
        assert go_on.wait(10)
        return frames[:, 0, 0].astype(np.float32)

    ask = SharedNetwork(predict, 64, MemoryError)
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(ask, numbered(0))
        is_busy.wait(10)
        others = [threads.submit(ask, numbered(number, number + 100)) for number in range(1, 5)]
        deadline = time.monotonic() + 10
        while len(ask._waiting) < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        go_on.set()

    assert sizes == [1, 8]
    assert first.result().tolist() == [[0]]
    assert [other.result()[:, 0].tolist() for other in others] == [[number, number + 100] for number in range(1, 5)]


def test_an_error_reaches_all_who_wait_and_the_next_question_is_answered() -> None:
    answers = iter([ValueError("broken"), None])

    def predict(frames: Frames) -> Outputs:
        if error := next(answers):
            raise error
        return frames[:, 0, 0].astype(np.float32)

    ask = SharedNetwork(predict, 64, MemoryError)

    with pytest.raises(ValueError, match="broken"):
        ask(numbered(1))
    assert ask(numbered(2)).tolist() == [[2]]
