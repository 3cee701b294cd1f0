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
def keras_classifier(lite0: KerasModel) -> KerasClassifier:
    return make_keras_classifier(lite0, "efficientnet-lite0")


def test_keras_and_litert_agree(
    keras_classifier: KerasClassifier, classifier: LiteRTClassifier, photos: Frames
) -> None:
    with_keras, with_litert = keras_classifier.predict(photos), classifier.predict(photos)

    assert with_keras.probabilities.dtype == with_keras.embeddings.dtype == np.float32
    np.testing.assert_allclose(with_keras.probabilities, with_litert.probabilities, atol=1e-4)
    np.testing.assert_allclose(with_keras.embeddings, with_litert.embeddings, atol=1e-3)


def test_without_a_gpu_a_warning_is_logged_once(
    lite0: KerasModel, photos: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    classifier = make_keras_classifier(lite0, "efficientnet-lite0")

    with caplog.at_level(logging.INFO):
        classifier.predict(photos)
        classifier.predict(photos)

    assert [record.getMessage() for record in caplog.records if record.name.startswith("video_recommender")] == [
        "TensorFlow finds no GPU: efficientnet-lite0 runs on the CPU, where LiteRT is faster"
    ]


def test_it_can_be_pickled_after_use(keras_classifier: KerasClassifier, photos: Frames) -> None:
    expected = keras_classifier.predict(photos)

    restored = pickle.loads(pickle.dumps(keras_classifier))

    assert restored == keras_classifier
    np.testing.assert_allclose(restored.predict(photos).probabilities, expected.probabilities, atol=1e-6)


def test_frames_of_another_size_are_resized_as_for_litert(
    keras_classifier: KerasClassifier, classifier: LiteRTClassifier, photos: Frames
) -> None:
    larger = np.stack([cv2.resize(photo, (448, 448)) for photo in photos])

    np.testing.assert_allclose(
        keras_classifier.predict(larger).probabilities, classifier.predict(larger).probabilities, atol=1e-4
    )


def test_threads_share_the_network(
    keras_classifier: KerasClassifier, classifier: LiteRTClassifier, photos: Frames
) -> None:
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda photo: classify_frames(np.stack([photo, photo]), keras_classifier), photos))

    for photo, outcome in zip(photos, outcomes, strict=True):
        expected = classify_frames(np.stack([photo, photo]), classifier).detections
        assert outcome.detections["class_name"].tolist() == expected["class_name"].tolist()
        np.testing.assert_allclose(outcome.detections["confidence"], expected["confidence"], atol=1e-4)


def test_workers_are_threads_if_the_network_runs_in_keras(
    keras_classifier: KerasClassifier, classifier: LiteRTClassifier, tmp_path: Path
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

    assert processes(keras_classifier) == {os.getpid()}
    assert os.getpid() not in processes(classifier)


def test_the_batch_size_depends_on_the_free_memory(lite0: KerasModel) -> None:
    assert max_batch_frames(lite0, None) == MAX_BATCH_FRAMES
    assert max_batch_frames(lite0, 80 * 2**30) == MAX_BATCH_FRAMES
    assert 16 < max_batch_frames(lite0, 2 * 2**30) < 128
    assert max_batch_frames(lite0, 0) == 1


def test_free_memory_is_that_of_the_fullest_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nprintf '15360\\n8000\\n'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert free_gpu_bytes() == 8000 * 2**20


@pytest.mark.parametrize("command", ["exit 9", "echo '[N/A]'", "true"])
def test_free_memory_is_unknown_if_the_driver_reports_no_number(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\n{command}\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert free_gpu_bytes() is None


def test_free_memory_is_unknown_without_a_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert free_gpu_bytes() is None


def numbered(*numbers: int) -> Frames:
    return np.array(numbers, np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]


class SmallMemory:
    """Simulates a GPU that runs out of memory: returns the number of each frame, unless there are too many."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.batch_sizes: list[int] = []

    def __call__(self, frames: Frames) -> Outputs:
        self.batch_sizes.append(len(frames))
        if len(frames) > self.capacity:
            raise MemoryError
        return frames[:, 0, 0].astype(np.float32)


def test_batches_that_exceed_the_memory_are_halved_and_no_frame_is_lost() -> None:
    gpu = SmallMemory(capacity=3)
    predict_batched = BatchingPredictor(gpu, 16, MemoryError)

    assert predict_batched(numbered(*range(20)))[:, 0].tolist() == list(range(20))
    assert gpu.batch_sizes == [16, 8, 4, *[2] * 10]


def test_a_batch_size_that_exceeded_the_memory_is_not_tried_again() -> None:
    gpu = SmallMemory(capacity=3)
    predict_batched = BatchingPredictor(gpu, 16, MemoryError)
    predict_batched(numbered(*range(16)))
    gpu.batch_sizes.clear()

    predict_batched(numbered(*range(16)))

    assert gpu.batch_sizes == [2] * 8


def test_batch_sizes_are_powers_of_two() -> None:
    gpu = SmallMemory(capacity=100)

    BatchingPredictor(gpu, 20, MemoryError)(numbered(*range(43)))

    assert gpu.batch_sizes == [16, 16, 8, 2, 1]


def test_a_single_frame_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(MemoryError):
        BatchingPredictor(SmallMemory(capacity=0), 16, MemoryError)(numbered(1))


def test_waiting_threads_share_a_batch_and_each_gets_its_own_rows() -> None:
    is_busy, go_on = threading.Event(), threading.Event()
    sizes: list[int] = []

    def predict(frames: Frames) -> Outputs:
        sizes.append(len(frames))
        is_busy.set()
        assert go_on.wait(10)
        return frames[:, 0, 0].astype(np.float32)

    predict_batched = BatchingPredictor(predict, 64, MemoryError)
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(predict_batched, numbered(0))
        is_busy.wait(10)
        others = [threads.submit(predict_batched, numbered(number, number + 100)) for number in range(1, 5)]
        deadline = time.monotonic() + 10
        while len(predict_batched._waiting) < 4 and time.monotonic() < deadline:
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

    predict_batched = BatchingPredictor(predict, 64, MemoryError)

    with pytest.raises(ValueError, match="broken"):
        predict_batched(numbered(1))
    assert predict_batched(numbered(2)).tolist() == [[2]]
