"""Compare detection over stored frames with a bare LiteRT loop over the same frames, decoded beforehand.

Both use all cores. Detection decodes JPEGs and builds tables, which are not saved. The bare loop maps decoded frames
from one file. It runs in one process per core and in one process with a thread per core, with one frame per call and
with as many as detection uses; the fastest counts. Keras runs the same network, on a GPU if TensorFlow finds one.
The variants take turns, and the best round of each counts.

    python benchmarks/detection_throughput.py --videos 60 --frames 20
    python benchmarks/detection_throughput.py --videos 400 --frames-folder data/02_intermediate/frames --rounds 2
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from ai_edge_litert.interpreter import Interpreter
from benchmark_results import Result, argument_parser, report_results, result
from numpy.typing import NDArray

from video_recommender.incremental import WorkerOptions, executors
from video_recommender.incremental.executors import map_partitions
from video_recommender.media.frames import FrameFolder, Frames
from video_recommender.networks.detections import DetectionOptions, classify_frames
from video_recommender.networks.frame_classifier import (
    FRAMES_PER_CALL,
    FrameClassifier,
    KerasClassifier,
    LiteRTClassifier,
    make_keras_classifier,
)
from video_recommender.networks.pretrained import build_network
from video_recommender.pipelines.detection.nodes import prepare_object_classifier

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
CORES = WorkerOptions().workers


def main() -> None:
    """Measure the speed of each side, and how far LiteRT and Keras agree."""
    arguments = _parse()
    executors.IDLE_WORKER_TIMEOUT_S = 300  # workers that the first round starts stay for all rounds
    classifier = _classifier(arguments.network)
    in_keras = make_keras_classifier(build_network(arguments.network), arguments.network)
    with tempfile.TemporaryDirectory() as folder:
        videos = (
            _stored_videos(arguments.frames_folder, arguments.videos)
            if arguments.frames_folder
            else _write_videos(Path(folder), arguments.videos, arguments.frames, classifier.input_size)
        )
        decoded = np.concatenate([video.decode() for video in videos.values()])
        np.save(Path(folder) / "decoded.npy", decoded)
        sides: dict[str, Callable[[], None]] = {
            "detection": partial(_detect, videos, classifier, WorkerOptions()),
            "keras": partial(_detect, videos, in_keras, WorkerOptions(backend="threading")),
        }
        for batch in (1, FRAMES_PER_CALL):
            loop = partial(_loop, decoded=Path(folder) / "decoded.npy", flatbuffer=classifier.flatbuffer, batch=batch)
            shares = {str(share): (share, CORES, 1) for share in range(CORES)}
            sides[f"{CORES} processes, {batch} frames per call"] = partial(_map, loop, shares, WorkerOptions())
            sides[f"{CORES} threads, {batch} frames per call"] = partial(loop, "", (0, 1, CORES))
        for side in sides.values():
            side()
        seconds = {name: float("inf") for name in sides}
        for _round in range(arguments.rounds):
            for name, side in sides.items():
                seconds[name] = min(seconds[name], _time(side))
    detection, *bare = (seconds[name] for name in sides if name != "keras")
    frames = len(decoded)
    print(f"{arguments.network}, {frames} frames, {CORES} cores")
    for name in sides:
        print(f"{name}: {frames / seconds[name]:.1f} frames/s")
    results = {
        "frames": result(frames, "count", "frames", "size"),
        "frames_per_second": result(frames / detection, "count", "frames per second of detection"),
        "bare_frames_per_second": result(frames / min(bare), "count", "frames per second of the fastest bare loop"),
        "share_of_bare_loop": result(min(bare) / detection, "share", "speed relative to the fastest bare loop"),
        "seconds_per_frame": result(detection / frames, "seconds", "time per frame, all cores together"),
        "keras_speed_relative_to_litert": result(
            detection / seconds["keras"], "share", "speed of Keras relative to detection"
        ),
        **_agreement(decoded, classifier, in_keras),
    }
    report_results(results, arguments.json)


def _classifier(network: str) -> LiteRTClassifier:
    """Convert the network as a run does."""
    classifier, _class_embeddings = prepare_object_classifier(DetectionOptions(network=network))
    assert isinstance(classifier, LiteRTClassifier)
    return classifier


def _agreement(frames: Frames, classifier: LiteRTClassifier, in_keras: KerasClassifier) -> dict[str, Result]:
    batches = np.array_split(frames, max(1, len(frames) // 32))
    by_litert, by_keras = (
        np.concatenate([side.predict(batch).probabilities for batch in batches]) for side in (classifier, in_keras)
    )
    same = (by_litert.argmax(axis=1) == by_keras.argmax(axis=1)).mean()
    difference = np.abs(by_litert - by_keras).max()
    print(f"Largest difference between the probabilities of Keras and LiteRT: {difference:.1e}")
    about = "frames that get the same class from Keras and LiteRT"
    return {"same_class_in_keras": result(same, "share", about, "held-out")}


def _detect(videos: dict[str, FrameFolder], classifier: FrameClassifier, workers: WorkerOptions) -> None:
    _map(lambda _, frames: classify_frames(frames, classifier), videos, workers)


def _map(function: Callable[[str, Any], object], tasks: Mapping[str, Any], workers: WorkerOptions) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        outcomes = list(map_partitions(function, tasks.items(), len(tasks), workers, ""))
    if errors := [outcome.problem.error for outcome in outcomes if outcome is not None and outcome.problem]:
        raise RuntimeError(errors[0])


def _loop(_: str, task: tuple[int, int, int], decoded: Path, flatbuffer: NDArray[np.uint8], batch: int) -> None:
    """Run only the network, over one share of the frames.

    Args:
        task: number of the share, number of equal shares, threads.
        decoded: file of all frames.
        flatbuffer: the network.
        batch: frames per call.
    """
    share, shares, threads = task
    frames = np.array_split(np.load(decoded, mmap_mode="r"), shares)[share]
    interpreter = Interpreter(model_content=flatbuffer.tobytes(), num_threads=threads)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source["index"], [batch, *source["shape"][1:]])
    interpreter.allocate_tensors()
    for start in range(0, len(frames) - batch + 1, batch):
        interpreter.tensor(source["index"])()[:] = frames[start : start + batch]
        interpreter.invoke()
        interpreter.get_tensor(target)


def _stored_videos(folder: Path, videos: int) -> dict[str, FrameFolder]:
    paths = sorted(folder.glob("[!.]*/*"))
    return {f"{path.parent.name}/{path.name}": FrameFolder(path) for path in paths[:: max(1, len(paths) // videos)]}


def _write_videos(folder: Path, videos: int, frames: int, size: tuple[int, int]) -> dict[str, FrameFolder]:
    generator = np.random.default_rng(0)
    photos = [getattr(skimage.data, photo)() for photo in PHOTOS]
    written = {}
    for number in range(videos):
        path = folder / f"{number}"
        path.mkdir()
        photo = photos[number % len(photos)]
        side = min(photo.shape[:2]) * 3 // 4
        for frame in range(1, frames + 1):
            top, left = (generator.integers(0, length - side + 1) for length in photo.shape[:2])
            image = cv2.resize(photo[top : top + side, left : left + side], size[::-1], interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(path / f"{frame}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        written[f"benchmark/{number}"] = FrameFolder(path)
    return written


def _time(side: Callable[[], None]) -> float:
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


def _parse() -> argparse.Namespace:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argument_parser(__doc__)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--frames", type=int, default=20, help="per video")
    parser.add_argument("--frames-folder", type=Path, help="frames of a run, such as data/02_intermediate/frames")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", default="efficientnet-lite0")
    return parser.parse_args()


if __name__ == "__main__":
    main()
