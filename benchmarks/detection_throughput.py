"""Compare detection over stored frames with a bare LiteRT loop over the same frames, decoded beforehand.

Both use every core. Detection reads and decodes JPEGs and makes tables; these are not saved. The bare loop maps decoded
frames from one file; it is tried with one process per core and with one process of as many threads, reading one frame
at a time and as many as detection does, and the fastest of these counts. Keras runs the same network beside them, on a
GPU if TensorFlow sees one. The sides take turns, and each side's best round counts.

    python benchmarks/detection_throughput.py --videos 60 --frames 20
    python benchmarks/detection_throughput.py --videos 400 --frames-folder data/02_intermediate/frames --rounds 2
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
from numpy.typing import NDArray

from video_recommender.incremental import executors
from video_recommender.media.frames import FrameFolder, Frames
from video_recommender.networks.detections import DetectionOptions, VideoDetections, classify_frames
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
CORES = joblib.cpu_count()


def main() -> None:
    """Print frames per second of each side, their ratios, and how far LiteRT and Keras agree."""
    arguments = _parse()
    # workers are started in the first round, and stay while the others take their turn
    executors.IDLE_WORKER_TIMEOUT_S = 300
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
        loop = partial(_loop, Path(folder) / "decoded.npy", classifier.flatbuffer)
        sides: dict[str, Callable[[], None]] = {
            "ours": partial(_detect, videos, classifier),
            "keras": partial(_detect, videos, in_keras),
        }
        for at_a_time in (1, FRAMES_PER_CALL):
            sides[f"{CORES} processes, {at_a_time} at a time"] = partial(_loop_in_processes, loop, at_a_time)
            sides[f"{CORES} threads, {at_a_time} at a time"] = partial(loop, 0, 1, at_a_time, CORES)
        for side in sides.values():
            side()
        seconds = {name: float("inf") for name in sides}
        for _round in range(arguments.rounds):
            for name, side in sides.items():
                seconds[name] = min(seconds[name], _time(side))
    ours, *bare = (seconds[name] for name in sides if name != "keras")
    frames = len(decoded)
    print(f"{arguments.network}, {frames} frames, {CORES} cores")
    for name in sides:
        print(f"{name}: {frames / seconds[name]:.1f} frames/s")
    print(f"detection ÷ fastest bare LiteRT loop: {min(bare) / ours:.2f}")
    ratio = seconds["ours"] / seconds["keras"]
    print(f"Keras ÷ detection: {ratio:.2f}")
    _compare(decoded, classifier, in_keras)


def _classifier(network: str) -> LiteRTClassifier:
    """What a run would take."""
    classifier, _class_embeddings = prepare_object_classifier(DetectionOptions(network=network))
    assert isinstance(classifier, LiteRTClassifier)
    return classifier


def _compare(frames: Frames, classifier: LiteRTClassifier, in_keras: KerasClassifier) -> None:
    batches = np.array_split(frames, max(1, len(frames) // 32))
    by_litert, by_keras = (
        np.concatenate([side.predict(batch).probabilities for batch in batches]) for side in (classifier, in_keras)
    )
    same = (by_litert.argmax(axis=1) == by_keras.argmax(axis=1)).mean()
    difference = np.abs(by_litert - by_keras).max()
    print(
        f"Keras names the same object in {same:.2%} of {len(by_keras)} frames; probabilities differ by {difference:.1e}"
    )


def _detect(videos: dict[str, FrameFolder], classifier: FrameClassifier) -> None:
    workers = executors.WorkerOptions(backend="threading" if isinstance(classifier, KerasClassifier) else "loky")
    classify = partial(_classify, classifier)
    with contextlib.redirect_stdout(io.StringIO()):
        outcomes = list(executors.map_partitions(classify, videos.items(), len(videos), workers, "Detect objects"))
    if problems := [outcome.problem for outcome in outcomes if outcome and outcome.problem]:
        raise RuntimeError(problems[0].error)


def _classify(classifier: FrameClassifier, _video_id: str, frames: FrameFolder) -> VideoDetections:
    return classify_frames(frames, classifier)


def _loop_in_processes(loop: Callable[[int, int, int, int], None], at_a_time: int) -> None:
    # configured as `map_partitions` does, or joblib would start other workers for either side, each time anew
    with joblib.parallel_config(
        "loky", n_jobs=CORES, inner_max_num_threads=1, idle_worker_timeout=executors.IDLE_WORKER_TIMEOUT_S
    ):
        joblib.Parallel()(joblib.delayed(loop)(start, CORES, at_a_time, 1) for start in range(CORES))


def _loop(decoded: Path, flatbuffer: NDArray[np.uint8], share: int, shares: int, at_a_time: int, threads: int) -> None:
    """Run the network over one of so many equal shares of the frames, and nothing else."""
    frames = np.array_split(np.load(decoded, mmap_mode="r"), shares)[share]
    interpreter = Interpreter(model_content=flatbuffer.tobytes(), num_threads=threads)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source["index"], [at_a_time, *source["shape"][1:]])
    interpreter.allocate_tensors()
    for start in range(0, len(frames) - at_a_time + 1, at_a_time):
        interpreter.tensor(source["index"])()[:] = frames[start : start + at_a_time]
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
