import logging
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from video_recommender.incremental import IncrementalRunner, StatefulPartitionedDataset, per_partition
from video_recommender.media.frames import Frames
from video_recommender.networks.detections import classify_frames
from video_recommender.networks.frame_classifier import (
    MAX_BATCH_FRAMES,
    BatchingPredictor,
    FrameClassifier,
    KerasClassifier,
    LiteRTClassifier,
    Outputs,
    free_gpu_bytes,
    make_keras_classifier,
    max_batch_frames,
)
from video_recommender.networks.pretrained import KerasModel


@pytest.fixture(scope="module")
def in_keras(lite0: KerasModel) -> KerasClassifier:
    return make_keras_classifier(lite0, "efficientnet-lite0")


def test_keras_and_litert_agree(in_keras: KerasClassifier, classifier: LiteRTClassifier, photos: Frames) -> None:
    by_keras, by_litert = in_keras.predict(photos), classifier.predict(photos)

    assert by_keras.probabilities.dtype == by_keras.embeddings.dtype == np.float32
    np.testing.assert_allclose(by_keras.probabilities, by_litert.probabilities, atol=1e-4)
    np.testing.assert_allclose(by_keras.embeddings, by_litert.embeddings, atol=1e-3)


def test_without_a_gpu_it_warns_once_that_it_runs_on_the_cpu(
    lite0: KerasModel, photos: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    forced = make_keras_classifier(lite0, "efficientnet-lite0")

    with caplog.at_level(logging.INFO):
        forced.predict(photos)
        forced.predict(photos)

    assert [record.getMessage() for record in caplog.records if record.name.startswith("video_recommender")] == [
        "TensorFlow finds no GPU: efficientnet-lite0 runs on the CPU, where LiteRT is faster"
    ]


def test_it_can_be_pickled_after_it_was_used(in_keras: KerasClassifier, photos: Frames) -> None:
    described = in_keras.predict(photos)

    restored = pickle.loads(pickle.dumps(in_keras))

    assert restored == in_keras
    np.testing.assert_allclose(restored.predict(photos).probabilities, described.probabilities, atol=1e-6)


def test_frames_of_another_size_are_resized_as_for_litert(
    in_keras: KerasClassifier, classifier: LiteRTClassifier, photos: Frames
) -> None:
    larger = np.stack([cv2.resize(photo, (448, 448)) for photo in photos])

    np.testing.assert_allclose(
        in_keras.predict(larger).probabilities, classifier.predict(larger).probabilities, atol=1e-4
    )


def test_threads_share_the_network(in_keras: KerasClassifier, classifier: LiteRTClassifier, photos: Frames) -> None:
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda photo: classify_frames(np.stack([photo, photo]), in_keras), photos))

    for photo, outcome in zip(photos, outcomes, strict=True):
        expected = classify_frames(np.stack([photo, photo]), classifier).detections
        assert outcome.detections["class_name"].tolist() == expected["class_name"].tolist()
        np.testing.assert_allclose(outcome.detections["confidence"], expected["confidence"], atol=1e-4)


def test_workers_are_threads_if_the_network_runs_in_keras(
    in_keras: KerasClassifier, classifier: LiteRTClassifier, tmp_path: Path
) -> None:
    def find_process(_video: int, _network: FrameClassifier) -> int:
        return os.getpid()

    def processes(network: FrameClassifier) -> set[int]:
        catalog = DataCatalog(
            {
                "videos": MemoryDataset({"first": 1, "second": 2}, copy_mode="assign"),
                "network": MemoryDataset(network, copy_mode="assign"),
                "process_ids": StatefulPartitionedDataset(
                    path=f"{tmp_path}/{network.digest}", dataset="json.JSONDataset"
                ),
                "params:workers": MemoryDataset({"backend": "loky", "jobs": 2}),
            }
        )
        node = per_partition(find_process, ["videos", "network"], "process_ids", name="find_process")
        IncrementalRunner().run(Pipeline([node]), catalog)
        return {load() for load in catalog.load("process_ids").values()}

    assert processes(in_keras) == {os.getpid()}
    assert os.getpid() not in processes(classifier)


def test_the_batch_size_depends_on_the_free_memory(lite0: KerasModel) -> None:
    assert max_batch_frames(lite0, None) == MAX_BATCH_FRAMES
    assert max_batch_frames(lite0, 80 * 2**30) == MAX_BATCH_FRAMES
    assert 16 < max_batch_frames(lite0, 2 * 2**30) < 128
    assert max_batch_frames(lite0, 0) == 1


def test_the_gpu_with_the_least_free_memory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nprintf '15360\\n8000\\n'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert free_gpu_bytes() == 8000 * 2**20


@pytest.mark.parametrize("says", ["exit 9", "echo '[N/A]'", "true"])
def test_a_driver_that_gives_no_number_is_no_error(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\n{says}\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert free_gpu_bytes() is None


def test_no_driver_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert free_gpu_bytes() is None


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


def test_batches_that_exceed_the_memory_are_halved_and_no_frame_is_lost() -> None:
    gpu = SmallMemory(fits=3)
    ask = BatchingPredictor(gpu, 16, MemoryError)

    assert ask(numbered(*range(20)))[:, 0].tolist() == list(range(20))
    assert gpu.tried == [16, 8, 4, *[2] * 10]


def test_a_batch_size_that_exceeded_the_memory_is_not_tried_again() -> None:
    gpu = SmallMemory(fits=3)
    ask = BatchingPredictor(gpu, 16, MemoryError)
    ask(numbered(*range(16)))
    gpu.tried.clear()

    ask(numbered(*range(16)))

    assert gpu.tried == [2] * 8


def test_batch_sizes_are_powers_of_two() -> None:
    gpu = SmallMemory(fits=100)

    BatchingPredictor(gpu, 20, MemoryError)(numbered(*range(43)))

    assert gpu.tried == [16, 16, 8, 2, 1]


def test_a_single_frame_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(MemoryError):
        BatchingPredictor(SmallMemory(fits=0), 16, MemoryError)(numbered(1))


def test_waiting_threads_share_a_batch_and_each_gets_its_own_rows() -> None:
    is_busy, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []

    def predict(frames: Frames) -> Outputs:
        sizes.append(len(frames))
        is_busy.set()
        assert go_on.wait(10)
        return frames[:, 0, 0].astype(np.float32)

    ask = BatchingPredictor(predict, 64, MemoryError)
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


def test_an_error_is_raised_in_every_waiting_thread_and_the_next_call_works() -> None:
    answers = iter([ValueError("broken"), None])

    def predict(frames: Frames) -> Outputs:
        if error := next(answers):
            raise error
        return frames[:, 0, 0].astype(np.float32)

    ask = BatchingPredictor(predict, 64, MemoryError)

    with pytest.raises(ValueError, match="broken"):
        ask(numbered(1))
    assert ask(numbered(2)).tolist() == [[2]]
