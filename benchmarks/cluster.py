"""Overhead of Dask compared with loky, and of an object store compared with a disk.

Runs preprocessing and detection on videos of the demo, with each executor and each storage in turn, and two workers;
the best round counts. The cluster consists of local processes, and the object store is moto, a test server on this
machine, so network latency is not included. Needs the data of `kedro run`, and the extras `cluster`, `s3` and `dev`.

    python benchmarks/cluster.py              # 100 videos
    python benchmarks/cluster.py --videos 400
"""

import logging
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import fsspec
import pandas as pd
from benchmark_results import argument_parser, report_results, result
from kedro.io import DataCatalog, MemoryDataset

from video_recommender.incremental import IncrementalRunner, StatefulPartitionedDataset, WorkerOptions, executors
from video_recommender.incremental.dask_executor import connect
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoLink
from video_recommender.networks.detections import DetectionOptions
from video_recommender.pipelines import detection, preprocessing

DATA: Final = Path(__file__).parents[1] / "data"
WORKERS: Final = {backend: WorkerOptions(backend=backend, jobs=2) for backend in ("loky", "dask")}
NODES: Final = (
    preprocessing.create_pipeline().only_nodes("preprocessing.extract_frames"),
    detection.create_pipeline().only_nodes("detection.detect_objects"),
)
TABLES: Final = {"detections": "Detections", "class_scores": "ClassScores", "embeddings": "MeanEmbedding"}
PORT: Final = 5599
STORE: Final = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    "AWS_ACCESS_KEY_ID": "anybody",
    "AWS_SECRET_ACCESS_KEY": "not secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def main() -> None:
    """Measure each backend with each storage."""
    parser = argument_parser(__doc__)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    logging.getLogger("video_recommender").setLevel(logging.WARNING)
    executors.IDLE_WORKER_TIMEOUT_S = 300  # workers that the first round starts stay for all rounds
    manifest = pd.read_parquet(DATA / "01_raw/video_manifest.parquet").query("status == 'ok'")
    video_ids = manifest["video_id"].head(arguments.videos).tolist()
    classifier = pickle.loads((DATA / "02_intermediate/object_classifier.pickle").read_bytes())
    best: dict[tuple[str, str], tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as disk, _object_store() as store:
        for root in (disk, store):
            _copy_videos(root, video_ids)
        for number in range(1 + arguments.rounds):
            for storage, root in (("disk", disk), ("store", store)):
                for backend, workers in WORKERS.items():
                    some = video_ids if number else video_ids[:8]  # the first round starts the workers
                    seconds = _run(root, f"{root}/{backend}{number}", some, classifier, workers)
                    if number:
                        best[storage, backend] = min(best.get((storage, backend), seconds), seconds, key=sum)
        connect(None, WORKERS["dask"].jobs).close()
    results = {"videos": result(len(video_ids), "count", "videos of the demo", "size")}
    for (storage, backend), (sampling, detecting) in best.items():
        ratio, where = (sampling + detecting) / sum(best["disk", "loky"]), f"{backend}, {storage}"
        results |= {
            f"{backend}.{storage}.preprocessing_seconds": result(sampling, "seconds", f"preprocessing: {where}"),
            f"{backend}.{storage}.detection_seconds": result(detecting, "seconds", f"detection: {where}"),
            f"{backend}.{storage}.ratio": result(ratio, "ratio", f"time relative to loky and disk: {where}"),
        }
    report_results(results, arguments.json)


def _run(root: str, folder: str, video_ids: list[str], classifier: Any, workers: WorkerOptions) -> tuple[float, float]:
    """Run both nodes and return the seconds of each."""
    tables = {
        name: _partitioned(
            f"{folder}/{name}", "pandas.ParquetDataset", ".parquet", f"video_recommender.schemas.{schema}"
        )
        for name, schema in TABLES.items()
    }
    values = {
        "usable_videos": _videos(root).load().restrict(video_ids),
        "object_classifier": classifier,
        "params:preprocessing": PreprocessingOptions(),
        "params:detection": DetectionOptions(),
        "params:workers": workers,
    }
    catalog = DataCatalog(
        {
            "frames": _partitioned(f"{folder}/frames", "video_recommender.datasets.FrameFolderDataset"),
            **tables,
            **{name: MemoryDataset(value, copy_mode="assign") for name, value in values.items()},
        }
    )
    seconds = []
    for pipeline in NODES:
        start = time.perf_counter()
        IncrementalRunner().run(pipeline, catalog)
        seconds.append(time.perf_counter() - start)
    assert all(len(table.load()) == len(video_ids) for table in tables.values())
    return seconds[0], seconds[1]


def _partitioned(path: str, dataset: str, suffix: str = "", schema: str | None = None) -> StatefulPartitionedDataset:
    return StatefulPartitionedDataset(path=path, filename_suffix=suffix, dataset=dataset, schema=schema)


def _videos(root: str) -> StatefulPartitionedDataset:
    return _partitioned(f"{root}/videos", "video_recommender.datasets.VideoFileDataset", ".mp4")


def _copy_videos(root: str, video_ids: list[str]) -> None:
    videos = _videos(str(DATA / "01_raw")).load()
    _videos(root).save({video_id: VideoLink(videos.load(video_id).path, copy=True) for video_id in video_ids})


@contextmanager
def _object_store() -> Iterator[str]:
    """Start an object store in a separate process."""
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
