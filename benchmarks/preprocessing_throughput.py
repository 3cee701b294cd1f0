"""Speed of preprocessing relative to ffmpeg with one process per core, and of processes relative to threads.

All sides take turns, and the best round of each counts. Needs ffmpeg.

    python benchmarks/preprocessing_throughput.py
    python benchmarks/preprocessing_throughput.py --rate 0.5 --group 30  # low frame rate, frequent keyframes
"""

import argparse
import io
import logging
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from benchmark_results import argument_parser, report_results, result
from kedro.io import DataCatalog, MemoryDataset
from loky import get_reusable_executor
from skimage import data

from video_recommender.incremental import IncrementalRunner, StatefulPartitionedDataset, WorkerOptions, executors
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoFile
from video_recommender.pipelines import preprocessing

SIZES = ((320, 240), (640, 360), (854, 480), (1280, 720))
RATES = (24, 25, 30)


def main() -> None:
    """Compare the best times."""
    arguments = _parse()
    if shutil.which("ffmpeg") is None:
        print("Skipped: ffmpeg is not installed.")
        return
    executors.IDLE_WORKER_TIMEOUT_S = 300  # workers that the first round starts stay for all rounds
    logging.getLogger("video_recommender").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        numbers = range(arguments.videos)
        clips = list(get_reusable_executor().map(partial(render_clip, root=root, group=arguments.group), numbers))
        ours, threads, theirs = [], [], []
        for number in range(arguments.rounds):
            sample = partial(preprocess, clips, rate=arguments.rate)
            ours.append(seconds_of(partial(sample, root / f"ours{number}", workers=WorkerOptions())))
            in_threads = WorkerOptions(backend="threading")
            threads.append(seconds_of(partial(sample, root / f"threads{number}", workers=in_threads)))
            theirs.append(seconds_of(partial(run_ffmpeg, clips, root / f"ffmpeg{number}", arguments.rate)))
        frames = [len(list((root / side).rglob("*.jpg"))) for side in ("ours0", "ffmpeg0")]
    print(f"{arguments.videos} clips; {frames[0]} frames, ffmpeg {frames[1]} frames")
    results = {
        "seconds": result(min(ours), "seconds", "preprocessing, one process per core"),
        "seconds_with_threads": result(min(threads), "seconds", "preprocessing, one thread per core"),
        "ffmpeg_seconds": result(min(theirs), "seconds", "ffmpeg, one process per core"),
        "speed_up": result(min(theirs) / min(ours), "ratio", "speed relative to ffmpeg"),
        "speed_up_over_threads": result(min(threads) / min(ours), "ratio", "speed of processes relative to threads"),
    }
    report_results(results, arguments.json)


def render_clip(number: int, root: Path, group: int) -> VideoFile:
    """Render 5 to 8 s of H.264 that pan over a photo, with noise, in one of four sizes and three frame rates."""
    (width, height), rate, seconds = SIZES[number % 4], RATES[number % 3], 5 + number // 4 % 4
    photo = (data.chelsea, data.coffee, data.rocket, data.astronaut)[number // 2 % 4]()
    wide = cv2.resize(photo, (int(width * 1.3), int(height * 1.3)), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(number).integers(0, 12, (height + 32, width, 3), np.uint8)
    path = root / f"{number:03}.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "g": str(group)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index, step in enumerate(np.linspace(0, 1, rate * seconds)):
            left, top = int(step * (wide.shape[1] - width)), int(step * (wide.shape[0] - height))
            shift = 5 * index % 32
            image = cv2.add(wide[top : top + height, left : left + width], noise[shift : shift + height])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return VideoFile(path)


def seconds_of(work: partial[None]) -> float:
    """Measure wall-clock time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def preprocess(clips: list[VideoFile], target: Path, rate: float, workers: WorkerOptions) -> None:
    """Run the node `extract_frames` on the clips."""
    values = {
        "usable_videos": {clip.path.stem: clip for clip in clips},
        "params:preprocessing": PreprocessingOptions(frames_per_second=rate),
        "params:workers": workers,
    }
    frames = StatefulPartitionedDataset(path=str(target), dataset="video_recommender.datasets.FrameFolderDataset")
    memory = {name: MemoryDataset(value, copy_mode="assign") for name, value in values.items()}
    pipeline = preprocessing.create_pipeline().only_nodes("preprocessing.extract_frames")
    with redirect_stdout(io.StringIO()):
        IncrementalRunner().run(pipeline, DataCatalog({"frames": frames, **memory}))
    assert len(frames.load()) == len(clips)


def run_ffmpeg(clips: list[VideoFile], target: Path, rate: float) -> None:
    """Sample the clips with ffmpeg, one process per core."""
    with ThreadPoolExecutor(WorkerOptions().workers) as pool:
        list(pool.map(partial(_ffmpeg, target, rate), clips))


def _ffmpeg(target: Path, rate: float, clip: VideoFile) -> None:
    folder = target / clip.path.stem
    folder.mkdir(parents=True)
    quiet = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", str(clip.path)]
    subprocess.run([*quiet, "-vf", f"fps={rate:g},scale=224:224", "-q:v", "3", str(folder / "%d.jpg")], check=True)


def _parse() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--videos", type=int, default=48)
    parser.add_argument("--rate", type=float, default=3.0, help="frames per second to sample")
    parser.add_argument("--group", type=int, default=250, help="distance between keyframes, in frames")
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
