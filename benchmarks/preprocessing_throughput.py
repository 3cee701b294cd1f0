"""Preprocessing against ffmpeg with one process per core, and against itself with threads, side by side.

How many times as fast is ours?

Run:
    python benchmarks/preprocessing_throughput.py --videos 60
    python benchmarks/preprocessing_throughput.py --videos 60 --rate 0.5 --group 30  # groups of pictures are left out
"""

import argparse
import io
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
import joblib
import numpy as np
from skimage import data
from video_recommender.incremental.parallel import WorkerOptions, map_videos

from video_recommender.datasets import RecordedPartitionedDataset
from video_recommender.incremental import parallel
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.storage.partitions import Partition, PartitionRecord

SIZES = ((320, 240), (640, 360), (854, 480), (1280, 720))
RATES = (24, 25, 30)


def main() -> None:
    """Print the ratios of the times, the best of the rounds each (workers are started in the first)."""
    if shutil.which("ffmpeg") is None:
        print("preprocessing ÷ ffmpeg: skipped, because ffmpeg is not installed")
        return
    arguments = _parse()
    # workers are started in the first round, and stay while the others take their turn
    parallel.IDLE_WORKER_TIMEOUT_S = 300
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        clips = joblib.Parallel(n_jobs=-1, backend="multiprocessing")(
            joblib.delayed(render_clip)(root, number, arguments.group) for number in range(arguments.videos)
        )
        ours, threads, theirs = [], [], []
        for number in range(arguments.rounds):
            cut = partial(preprocess, clips, rate=arguments.rate)
            ours.append(seconds_of(partial(cut, root / f"ours{number}")))
            threads.append(
                seconds_of(partial(cut, root / f"threads{number}", workers=WorkerOptions(backend="threading")))
            )
            theirs.append(seconds_of(partial(run_ffmpeg, clips, root / f"ffmpeg{number}", arguments.rate)))
        frames = [len(list((root / side).rglob("*.jpg"))) for side in ("ours0", "ffmpeg0")]
    print(
        f"preprocessing ÷ ffmpeg: {min(theirs) / min(ours):.2f} (target ≥ 1.0; {arguments.videos} clips; "
        f"best of {arguments.rounds} rounds; ours {min(ours):.2f} s, {frames[0]} frames; "
        f"ffmpeg {min(theirs):.2f} s, {frames[1]} frames)"
    )
    print(f"processes ÷ threads: {min(threads) / min(ours):.2f} (with threads {min(threads):.2f} s)")


def render_clip(root: Path, number: int, group: int) -> VideoFile:
    """Pan over a photo, with noise: 5 to 8 s of H.264, of one of four sizes and three rates, in groups of pictures."""
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
            picture = cv2.add(wide[top : top + height, left : left + width], noise[shift : shift + height])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return VideoFile(path)


def seconds_of(work: partial[None]) -> float:
    """Time a piece of work by the clock on the wall."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def preprocess(clips: list[VideoFile], target: Path, rate: float, workers: WorkerOptions | None = None) -> None:
    """Sample the clips on all cores and save a folder of frames for each, through the pipeline's own dataset."""
    dataset = RecordedPartitionedDataset(path=str(target), dataset="video_recommender.datasets.FrameFolderDataset")
    sample = partial(sample_frames, options=PreprocessingOptions(frames_per_second=rate))
    tasks = {clip.path.stem: clip for clip in clips}
    with redirect_stdout(io.StringIO()):
        for outcome in map_videos(sample, tasks, workers or WorkerOptions(), "frames"):
            if outcome.error:
                raise RuntimeError(outcome.error)
            dataset.save({outcome.video_id: Partition(PartitionRecord(""), outcome.result.frames)})


def run_ffmpeg(clips: list[VideoFile], target: Path, rate: float) -> None:
    """Do the same with ffmpeg, one process per core."""
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        list(pool.map(partial(_ffmpeg, target, rate), clips))


def _ffmpeg(target: Path, rate: float, clip: VideoFile) -> None:
    folder = target / clip.path.stem
    folder.mkdir(parents=True)
    quiet = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", str(clip.path)]
    subprocess.run([*quiet, "-vf", f"fps={rate:g},scale=224:224", "-q:v", "3", str(folder / "%d.jpg")], check=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--rate", type=float, default=3.0, help="frames per second that are taken")
    parser.add_argument("--group", type=int, default=250, help="pictures from one that stands alone to the next")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
