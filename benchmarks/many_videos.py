"""Time and memory of each step over the whole corpus, and how the time grows with the number of videos.

The videos are synthetic (see synthetic_corpus.py): only the partitions, state logs and manifests of a finished run are
on disk, in one project per size. They take about 2 GB for 100,000 videos. Each step is a node of the pipelines, in a
separate process, with the datasets of the catalog: it loads its inputs, and validates and saves its outputs.
`check_detections` is the check of a run in which nothing is stale. The network and its class embeddings are those that
`kedro run --pipelines=detection` has stored in data/.

    python benchmarks/many_videos.py                                         # 1,000 and 10,000 videos
    python benchmarks/many_videos.py --videos 100000 --folder /data/many     # keeps the synthetic projects
    python benchmarks/many_videos.py --videos 1000 --steps compare_recommenders

Growth is the exponent e of n^e between two sizes: 1 is linear, 2 quadratic.
"""

import argparse
import json
import logging
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from benchmark_results import argument_parser, result, save_results
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline
from loky import get_reusable_executor
from own_project import PROJECT, copy_project
from synthetic_corpus import VIDEOS_PER_BLOCK, SyntheticCorpus, SyntheticVideos, draw_hashes

from video_recommender.incremental import IncrementalRunner, PartitionState, StatefulPartitionedDataset
from video_recommender.incremental.executors import Outcome
from video_recommender.pipelines.deduplication.nodes import HASH_COLUMNS
from video_recommender.schemas import FrameManifest, NearDuplicates, VideoManifest
from video_recommender.storage.digests import fingerprint

LIST, CHECK, ANSWER = "list_detections", "check_detections", "answer_for_new_video"
STEPS = (
    LIST,
    CHECK,
    "summarise_detections",
    "find_near_duplicates",
    "select_corpus",
    "fit_object_space",
    "measure_importances",
    "compute_points",
    "compare_candidates",
    "train_category_classifier",
    "predict_categories",
    "fit_recommender",
    "recommend_videos",
    "compare_recommenders",
    "compare_importances",
    ANSWER,
)
"""In the order of a run: a step reads the outputs of the steps before it."""
PREPARED = ("02_intermediate/object_classifier.pickle", "03_primary/class_embeddings.parquet")
FRAMES = "02_intermediate/frames"
TABLES = tuple(f"03_primary/{name}" for name in ("detections", "class_scores", "embeddings"))
HASHES = "03_primary/frame_hashes"
FRAME_EMBEDDING = 1280
MAP_PARTITIONS = "video_recommender.incremental.partition_run.map_partitions"
FINISH = "finish_detection"


@dataclass(frozen=True)
class Cost:
    """Cost of one step.

    Attributes:
        seconds: time to load its inputs, run it and save its outputs, without start-up.
        peak_mb: peak memory of the process, start-up included, MB of 10^6 bytes.
    """

    seconds: float
    peak_mb: float


def main() -> None:
    """Measure and print."""
    arguments = _parse()
    if arguments.child == FINISH:
        finish_here(arguments.folder)
    elif arguments.child:
        print(json.dumps(asdict(measure_here(arguments.child, arguments.folder))))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            measure_all(arguments, arguments.folder or Path(temporary))


def measure_all(arguments: argparse.Namespace, folder: Path) -> None:
    """Measure all steps at all sizes."""
    results = {}
    sizes: list[int] = sorted(arguments.videos)
    taken: dict[str, list[float]] = {step: [] for step in arguments.steps}
    for videos in sizes:
        project = folder / str(videos)
        make_project(project, videos)
        for step in arguments.steps:
            cost = measure(step, project)
            taken[step].append(cost.seconds)
            seconds = result(cost.seconds, "seconds", f"{step} with {videos:,} videos")
            memory = result(cost.peak_mb, "megabytes", f"peak memory of {step} with {videos:,} videos", "size")
            results |= {f"{step}.{videos}.seconds": seconds, f"{step}.{videos}.peak_memory": memory}
            print(f"{videos:,} videos, {step}: {seconds['text']}, {memory['text']}", flush=True)
    if len(sizes) > 1:
        for step, (*_, before, after) in taken.items():
            growth = math.log(after / before) / math.log(sizes[-1] / sizes[-2])
            about = f"exponent of the time of {step} from {sizes[-2]:,} to {sizes[-1]:,} videos"
            results[f"{step}.growth"] = result(growth, "score", about)
            print(f"{step}: growth {growth:.2f}")
    save_results(results, arguments.json)


def measure(step: str, project: Path) -> Cost:
    """Run one step in a separate process."""
    command = [sys.executable, __file__, "--folder", str(project), "--child", step]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if run.returncode:
        raise SystemExit(f"{step} failed in {project}")
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def measure_here(step: str, project: Path) -> Cost:
    """Run one step in this process."""
    with _open(project) as (catalog, nodes):
        began = time.perf_counter()
        if step == LIST:
            dataset = catalog["detections"]
            dataset.load()
            dataset.fingerprint()
        elif step == CHECK:
            with mock.patch(MAP_PARTITIONS, side_effect=AssertionError("There are stale partitions")):
                IncrementalRunner().run(Pipeline([nodes["detect_objects"]]), catalog)
        elif step == ANSWER:
            recommender = catalog.load("recommender")
            point = recommender.points_[:1].mean(axis=0, keepdims=True)
            recommender.recommend(pd.DataFrame(point, index=["new/video"], columns=recommender.axes_))
        else:
            node = nodes[step]
            made = node.func(*(catalog.load(name) for name in node.inputs))
            for name, part in zip(node.outputs, made if len(node.outputs) > 1 else (made,), strict=True):
                catalog.save(name, part)
        seconds = time.perf_counter() - began
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


@contextmanager
def _open(project: Path) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Open a project: its catalog, and the nodes of the default pipeline by name."""
    bootstrap_project(project)
    logging.disable(logging.INFO)
    with KedroSession.create(project_path=project) as session:
        catalog = session.load_context().catalog
        pipelines.set_requested(["__default__"])
        yield catalog, {node.short_name: node for node in pipelines["__default__"].nodes}


def make_project(project: Path, videos: int) -> None:
    """Create a project in which detection has processed the given number of videos, unless it exists."""
    data = project / "data"
    is_made = (project / "made").exists()
    if is_made:  # the code, its configuration and the network can have changed since
        shutil.rmtree(project / "conf")
        shutil.copytree(PROJECT / "conf", project / "conf")
    else:
        shutil.rmtree(project, ignore_errors=True)
        project.parent.mkdir(parents=True, exist_ok=True)
        copy_project(project)
    for name in PREPARED:
        if not (PROJECT / "data" / name).exists():
            raise SystemExit(f"{PROJECT / 'data' / name} is missing: run `kedro run --pipelines=detection` first")
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / "data" / name, data / name)
    if is_made:
        finish_detection(project)
        return
    began = time.perf_counter()
    corpus = SyntheticCorpus(pd.read_parquet(data / PREPARED[1]), videos)
    executor = get_reusable_executor()
    starts = range(0, videos, VIDEOS_PER_BLOCK)
    names = [corpus.class_names] * len(starts)
    rows = pd.concat(executor.map(write_block, corpus.blocks(), starts, names, [data] * len(starts)))
    write_manifests(rows.sort_values("video_id", ignore_index=True), data)
    states = {
        row.video_id: PartitionState(
            digest=row.fingerprint, properties={"frames": row.frames, "frames_per_second": 1.0}
        )
        for row in rows.itertuples()
    }
    for name in (FRAMES, HASHES, *TABLES):
        StatefulPartitionedDataset(path=str(data / name), dataset="pandas.ParquetDataset").commit(states)
    finish_detection(project)
    (project / "made").touch()
    print(f"{videos} videos made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def finish_detection(project: Path) -> None:
    """Update the states of the detections in a separate process, without detecting anything."""
    subprocess.run([sys.executable, __file__, "--folder", str(project), "--child", FINISH], check=True)


def finish_here(project: Path) -> None:
    """Run the detection node with a function that returns finished states."""

    def finished(_work: Any, tasks: Iterable[tuple[str, Any]], *_options: Any) -> Iterator[Outcome[Any]]:
        for key, _task in tasks:
            state = PartitionState(digest=fingerprint(key), properties={"frames": 1})
            yield Outcome(key, (state,) * len(TABLES))

    with _open(project) as (catalog, nodes), mock.patch(MAP_PARTITIONS, finished):
        IncrementalRunner().run(Pipeline([nodes["detect_objects"]]), catalog)


def write_block(block: SyntheticVideos, start: int, class_names: Any, data: Path) -> pd.DataFrame:
    """Write the partitions of a thousand videos in the format of the datasets, without validation.

    Validation of 100,000 videos would take an hour.
    """
    rows = []
    for number, (video_id, hashed) in enumerate(
        zip(block.video_ids, draw_hashes(len(block.video_ids), 0, start), strict=True)
    ):
        random = np.random.default_rng([block.groups[number], number])
        frames = len(hashed)
        shown = random.choice(block.objects[number], frames, p=block.shares[number])
        probabilities = block.probabilities[number]
        ranked = np.argsort(-probabilities, kind="stable")
        ranked = ranked[probabilities[ranked] > 0]
        embedding = random.standard_normal(FRAME_EMBEDDING) * 0.3 + np.resize(probabilities, FRAME_EMBEDDING)
        detections = {
            "frame": np.arange(1, frames + 1),
            "class_name": pa.array(class_names[shown], pa.large_string()),
            "confidence": random.beta(4, 3, frames).astype(np.float32),
        }
        class_scores = {
            "class_name": pa.array(class_names[ranked], pa.large_string()),
            "probability": np.minimum(probabilities[ranked].astype(np.float64), 1),
        }
        embeddings = {"value": np.maximum(embedding, 0).astype(np.float32)}
        hashes = {"frame": np.arange(1, frames + 1), **dict(zip(HASH_COLUMNS, hashed.hashes.T, strict=True))}
        for name, columns in zip((*TABLES, HASHES), (detections, class_scores, embeddings, hashes), strict=True):
            path = data / name / f"{video_id}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(columns), path)
        (data / FRAMES / video_id).mkdir(parents=True)
        rows.append(
            {
                "video_id": video_id,
                "category": video_id.split("/")[0],
                "title": ", ".join(dict.fromkeys(class_names[block.objects[number][:2]])),
                "group": f"uploader-{block.groups[number]}",
                "frames": frames,
                "fingerprint": fingerprint(video_id),
            }
        )
    return pd.DataFrame(rows)


def write_manifests(videos: pd.DataFrame, data: Path) -> None:
    """Write the manifests of ingestion and preprocessing, and an empty table of near duplicates."""
    unknown = dict.fromkeys(VideoManifest.to_schema().columns)
    constants = {"status": "ok", "error": "", "fps": 25.0, "width": 480, "height": 270, "source": "drawn", "photos": ""}
    manifest = pd.DataFrame(unknown, index=videos.index).assign(
        **videos.drop(columns=["frames", "fingerprint"]),
        **constants,
        duration_s=videos["frames"].astype(float),
        sha256=videos["fingerprint"],
    )
    frames = videos[["video_id", "frames", "fingerprint"]].assign(
        status="ok", error="", shots=None, shot_numbers="", times_s=""
    )
    for schema, rows, name in (
        (VideoManifest, manifest, "01_raw/video_manifest"),
        (FrameManifest, frames[list(FrameManifest.to_schema().columns)], "02_intermediate/frame_manifest"),
        (NearDuplicates, pd.DataFrame(columns=list(NearDuplicates.to_schema().columns)), "03_primary/near_duplicates"),
    ):
        file = data / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        schema.validate(rows).to_parquet(file)


def _parse() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--folder", type=Path, help="keeps the synthetic projects; default: a temporary folder")
    parser.add_argument("--videos", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=STEPS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
