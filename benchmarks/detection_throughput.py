"""Compare detection over stored frames with a bare LiteRT loop over the same frames, decoded beforehand.

Both use every core. The bare loop is tried with one process per core and with one process of as many threads, and the
faster of the two counts. Keras runs the same network beside them, on a GPU if TensorFlow sees one. The sides take
turns, and each side's best round counts.

Run: python benchmarks/detection_throughput.py --videos 60 --frames 20
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import joblib
import numpy as np
import skimage.data
from ai_edge_litert.interpreter import Interpreter

from video_recommender import parallel
from video_recommender.frame_folder import FrameFolder, Frames
from video_recommender.parallel import WorkerOptions, map_videos
from video_recommender.pipelines.detection.frame_classifier import FrameClassifier
from video_recommender.pipelines.detection.keras_classifier import KerasClassifier, load_into_keras, workers_for
from video_recommender.pipelines.detection.litert_classifier import LiteRTClassifier, compile_for_cpu
from video_recommender.pipelines.detection.network import build_network
from video_recommender.pipelines.detection.object_detection import name_objects

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
CORES = joblib.cpu_count()


def main() -> None:
    """Print frames per second of each side, their ratios, and how far LiteRT and Keras agree."""
    arguments = _parse()
    # workers are started in the first round, and stay while the others take their turn
    parallel.IDLE_WORKER_TIMEOUT_S = 300
    network = build_network(arguments.network)
    classifier = compile_for_cpu(network, arguments.network)
    in_keras = load_into_keras(network, arguments.network)
    with tempfile.TemporaryDirectory() as folder:
        videos = (
            _stored_videos(arguments.frames_folder, arguments.videos)
            if arguments.frames_folder
            else _write_videos(Path(folder), arguments.videos, arguments.frames, classifier.input_size)
        )
        decoded = {video_id: video.decode() for video_id, video in videos.items()}
        sides = {
            "ours": partial(_detect, videos, classifier),
            "keras": partial(_detect, videos, in_keras),
            "processes": partial(_loop_in_processes, list(decoded.values()), classifier),
            "threads": partial(_loop, list(decoded.values()), classifier.flatbuffer, CORES),
        }
        for side in sides.values():
            side()
        seconds = {name: float("inf") for name in sides}
        for _round in range(arguments.rounds):
            for name, side in sides.items():
                seconds[name] = min(seconds[name], _time(side))
    bare = min(seconds["processes"], seconds["threads"])
    frames = sum(map(len, decoded.values()))
    print(
        f"detection {frames / seconds['ours']:.1f} frames/s, bare LiteRT loop {frames / bare:.1f} frames/s "
        f"({frames / seconds['processes']:.1f} in processes, {frames / seconds['threads']:.1f} with threads; "
        f"{arguments.network}, {frames} frames, {CORES} cores): ratio {bare / seconds['ours']:.2f}"
    )
    ratio = seconds["ours"] / seconds["keras"]
    print(f"Keras {frames / seconds['keras']:.1f} frames/s: {ratio:.2f} of detection by LiteRT")
    _compare(list(decoded.values()), classifier, in_keras)


def _compare(videos: list[Frames], classifier: LiteRTClassifier, in_keras: KerasClassifier) -> None:
    by_litert, by_keras = (
        np.concatenate([side.describe(frames).probabilities for frames in videos]) for side in (classifier, in_keras)
    )
    same = (by_litert.argmax(axis=1) == by_keras.argmax(axis=1)).mean()
    difference = np.abs(by_litert - by_keras).max()
    print(
        f"Keras names the same object in {same:.2%} of {len(by_keras)} frames; probabilities differ by {difference:.1e}"
    )


def _detect(videos: dict[str, FrameFolder], classifier: FrameClassifier) -> None:
    name_all = partial(name_objects, classifier=classifier)
    with contextlib.redirect_stdout(io.StringIO()):
        outcomes = list(map_videos(name_all, videos, workers_for(classifier, WorkerOptions()), "Naming objects"))
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        raise RuntimeError(errors[0])


def _loop_in_processes(videos: list[Frames], classifier: LiteRTClassifier) -> None:
    shares = [videos[start::CORES] for start in range(CORES)]
    # configured as `map_videos` does, or joblib would start other workers for either side, each time anew
    with joblib.parallel_config(
        "loky", n_jobs=CORES, inner_max_num_threads=1, idle_worker_timeout=parallel.IDLE_WORKER_TIMEOUT_S
    ):
        joblib.Parallel()(joblib.delayed(_loop)(share, classifier.flatbuffer, 1) for share in shares)


def _loop(videos: list[Frames], flatbuffer: np.ndarray, threads: int) -> None:
    interpreter = Interpreter(model_content=flatbuffer.tobytes(), num_threads=threads)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    for frames in videos:
        for frame in frames:
            interpreter.tensor(source)()[0] = frame
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
            picture = cv2.resize(photo[top : top + side, left : left + side], size[::-1], interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(path / f"{frame}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        written[f"benchmark/{number}"] = FrameFolder(path)
    return written


def _time(side: Callable[[], None]) -> float:
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


def _parse() -> argparse.Namespace:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--frames", type=int, default=20, help="per video")
    parser.add_argument("--frames-folder", type=Path, help="frames of a run, such as data/02_intermediate/frames")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", default="efficientnet-lite0")
    return parser.parse_args()


if __name__ == "__main__":
    main()
