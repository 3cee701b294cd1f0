"""A Dask cluster beside joblib's own processes, and an object store beside a disk: what each costs per video.

Cuts the demo's videos and names their objects in four ways, on two workers each time, one after the other in one run;
each way's best round counts. The cluster is one of processes on this machine, and the store is moto's, a test server in
Python on this machine: they show what the way of working costs, not what a network does. Needs `kedro run` before, and
the extras `cluster`, `s3` and `dev`.

    python benchmarks/cluster.py              # 100 videos
    python benchmarks/cluster.py --videos 400
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import joblib
import pandas as pd
from video_recommender.incremental.dask_cluster import connect
from video_recommender.incremental.parallel import WorkerOptions

from video_recommender.datasets import RecordedPartitionedDataset
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoLink
from video_recommender.networks.detections import DetectionOptions
from video_recommender.networks.frame_classifier import LiteRTClassifier
from video_recommender.pipelines.detection.nodes import detect_objects
from video_recommender.pipelines.preprocessing.nodes import extract_frames
from video_recommender.storage.partitions import Partition

DATA = Path(__file__).parents[1] / "data"
WORKERS = {
    "loky": WorkerOptions(backend="loky", jobs=2),
    "dask": WorkerOptions(backend="dask", jobs=2),
}
VIDEOS = "video_recommender.datasets.VideoFileDataset"
FRAMES = "video_recommender.datasets.FrameFolderDataset"
PORT = 5599
STORE = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    "AWS_ACCESS_KEY_ID": "anybody",
    "AWS_SECRET_ACCESS_KEY": "not secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Seconds:
    """How long the stages took."""

    cutting: float
    naming: float

    @property
    def whole(self) -> float:
        """Both together."""
        return self.cutting + self.naming


def main() -> None:
    """Print a line per way of working."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    manifest = pd.read_parquet(DATA / "01_raw/video_manifest.parquet").query("status == 'ok'").head(arguments.videos)
    classifier = pickle.loads((DATA / "02_intermediate/object_classifier.pickle").read_bytes())
    best: dict[tuple[str, str], Seconds] = {}
    with tempfile.TemporaryDirectory() as disk, _object_store() as store:
        for root in (disk, store):
            _put_videos(root, manifest)
        for round_number in range(1 + arguments.rounds):
            for place, root in (("disk", disk), ("store", store)):
                for backend, workers in WORKERS.items():
                    few = manifest.head(8) if round_number == 0 else manifest  # the first round starts the workers
                    taken = _run(f"{root}/{backend}{round_number}", root, few, classifier, workers)
                    if round_number:
                        known = best.setdefault((place, backend), taken)
                        best[place, backend] = min(known, taken, key=lambda seconds: seconds.whole)
        connect(None, WORKERS["dask"].jobs).close()
    plain = best["disk", "loky"].whole
    for (place, backend), seconds in best.items():
        print(
            f"{backend} on a {place}: cutting {seconds.cutting:.1f} s, naming {seconds.naming:.1f} s "
            f"({len(manifest)} videos, 2 workers, {joblib.cpu_count()} cores): ratio {seconds.whole / plain:.2f}"
        )


def _run(
    folder: str, root: str, manifest: pd.DataFrame, classifier: LiteRTClassifier, workers: WorkerOptions
) -> Seconds:
    videos, frames = _dataset(f"{root}/videos", VIDEOS, ".mp4"), _dataset(f"{folder}/frames", FRAMES)
    tables = [
        _dataset(f"{folder}/{schema}", "pandas.ParquetDataset", ".parquet", f"video_recommender.schemas.{schema}")
        for schema in ("Detections", "ClassScores", "MeanEmbedding")
    ]
    began = time.perf_counter()
    for update in extract_frames(videos.load(), manifest, frames.load(), PreprocessingOptions(), workers):
        frames.save(update)
    cut = time.perf_counter()
    for updates in detect_objects(
        frames.load(), *(table.load() for table in tables), classifier, DetectionOptions(), workers
    ):
        for table, update in zip(tables, updates, strict=True):
            table.save(update)
    seconds = Seconds(cut - began, time.perf_counter() - cut)
    made = Counter(len(table.load().usable()) for table in tables)
    assert made == {len(manifest): len(tables)}, made
    return seconds


def _dataset(path: str, kind: str, suffix: str = "", schema: str | None = None) -> Any:
    return RecordedPartitionedDataset(path=path, filename_suffix=suffix, dataset=kind, schema=schema)


def _put_videos(root: str, manifest: pd.DataFrame) -> None:
    made, copies = (
        _dataset(str(DATA / "01_raw/videos"), VIDEOS, ".mp4").load(),
        _dataset(f"{root}/videos", VIDEOS, ".mp4"),
    )
    for video_id in manifest["video_id"]:
        film = made[video_id]
        copies.keep(video_id, Partition(film.record, VideoLink(film.load().path, copy=True)))


@contextmanager
def _object_store() -> Iterator[str]:
    """Start a store in a process of its own."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ |= STORE
    try:
        time.sleep(5)
        fsspec.filesystem("s3").mkdir("benchmark")
        yield "s3://benchmark/data"
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
