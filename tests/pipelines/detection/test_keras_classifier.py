import logging
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from video_recommender.incremental.parallel import WorkerOptions, map_videos
from video_recommender.media.frames import FrameFolder, Frames
from video_recommender.networks.detections import name_objects
from video_recommender.networks.keras_classifier import (
    MOST_FRAMES,
    KerasClassifier,
    frames_that_fit,
    free_gpu_bytes,
    load_into_keras,
    workers_for,
)
from video_recommender.networks.litert_classifier import LiteRTClassifier
from video_recommender.networks.pretrained import DetectionOptions, KerasModel
from video_recommender.pipelines.detection.nodes import prepare_object_classifier


@pytest.fixture(scope="module")
def in_keras(lite0: KerasModel) -> KerasClassifier:
    return load_into_keras(lite0, "efficientnet-lite0")


def test_keras_and_litert_agree(in_keras: KerasClassifier, classifier: LiteRTClassifier, photos: Frames) -> None:
    by_keras, by_litert = in_keras.describe(photos), classifier.describe(photos)

    assert by_keras.probabilities.dtype == by_keras.embeddings.dtype == np.float32
    np.testing.assert_allclose(by_keras.probabilities, by_litert.probabilities, atol=1e-4)
    np.testing.assert_allclose(by_keras.embeddings, by_litert.embeddings, atol=1e-3)


def test_the_engine_is_chosen_by_parameter_and_its_detections_are_told_apart(
    in_keras: KerasClassifier, classifier: LiteRTClassifier
) -> None:
    chosen, _ = prepare_object_classifier(DetectionOptions(engine="keras"))

    assert chosen == in_keras
    assert chosen.class_names == classifier.class_names
    assert chosen.fingerprint != classifier.fingerprint


def test_without_a_gpu_it_says_once_that_it_runs_on_the_cpu(
    lite0: KerasModel, photos: Frames, caplog: pytest.LogCaptureFixture
) -> None:
    forced = load_into_keras(lite0, "efficientnet-lite0")

    with caplog.at_level(logging.INFO):
        forced.describe(photos)
        forced.describe(photos)

    assert [record.getMessage() for record in caplog.records if record.name.startswith("video_recommender")] == [
        "TensorFlow sees no GPU: efficientnet-lite0 runs on the CPU, where LiteRT is faster"
    ]


def test_it_can_be_pickled_after_it_was_used(in_keras: KerasClassifier, photos: Frames) -> None:
    described = in_keras.describe(photos)

    restored = pickle.loads(pickle.dumps(in_keras))

    assert restored == in_keras
    np.testing.assert_allclose(restored.describe(photos).probabilities, described.probabilities, atol=1e-6)


def test_frames_of_another_size_are_resized_as_for_litert(
    in_keras: KerasClassifier, classifier: LiteRTClassifier, photos: Frames
) -> None:
    larger = np.stack([cv2.resize(photo, (448, 448)) for photo in photos])

    np.testing.assert_allclose(
        in_keras.describe(larger).probabilities, classifier.describe(larger).probabilities, atol=1e-4
    )


def test_threads_of_one_process_name_videos_and_a_bad_one_does_not_stop_them(
    in_keras: KerasClassifier, classifier: LiteRTClassifier, photos: Frames, tmp_path: Path
) -> None:
    folders = {f"pets/{name}": FrameFolder(tmp_path / name) for name in ("cat", "coffee", "rocket", "bad")}
    for photo, folder in zip([*photos, None], folders.values(), strict=True):
        folder.path.mkdir()
        for number in (1, 2):
            file = folder.path / f"{number}.jpg"
            file.write_bytes(b"no picture") if photo is None else cv2.imwrite(str(file), photo[:, :, ::-1])
    workers = workers_for(in_keras, WorkerOptions(jobs=4))

    outcomes = {
        outcome.video_id: outcome
        for outcome in map_videos(lambda folder: name_objects(folder, in_keras), folders, workers, "Naming objects")
    }

    assert outcomes.pop("pets/bad").status == "damaged"
    for video_id, outcome in outcomes.items():
        assert outcome.result is not None
        expected = name_objects(folders[video_id], classifier).detections
        assert outcome.result.detections["class_name"].tolist() == expected["class_name"].tolist()
        np.testing.assert_allclose(outcome.result.detections["confidence"], expected["confidence"], atol=1e-4)


def test_only_a_network_in_keras_changes_who_works(in_keras: KerasClassifier, classifier: LiteRTClassifier) -> None:
    processes, here = WorkerOptions(jobs=3), WorkerOptions(backend="sequential")

    assert workers_for(classifier, processes) == processes
    assert workers_for(in_keras, processes) == WorkerOptions(backend="threading", jobs=3)
    assert workers_for(in_keras, here) == here


def test_batches_are_sized_to_the_memory(lite0: KerasModel) -> None:
    assert frames_that_fit(lite0, None) == MOST_FRAMES
    assert frames_that_fit(lite0, 80 * 2**30) == MOST_FRAMES
    assert 16 < frames_that_fit(lite0, 2 * 2**30) < 128
    assert frames_that_fit(lite0, 0) == 1


def test_the_fullest_gpu_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\nprintf '15360\\n8000\\n'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert free_gpu_bytes() == 8000 * 2**20


@pytest.mark.parametrize("says", ["exit 9", "echo '[N/A]'", "true"])
def test_a_driver_that_cannot_tell_is_no_error(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\n{says}\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert free_gpu_bytes() is None


def test_no_driver_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert free_gpu_bytes() is None
