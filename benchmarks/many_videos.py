"""Every step on 1,000, 10,000 and 100,000 videos: seconds, memory, and how both grow with their number.

The videos are drawn (see synthetic_corpus.py): only their partitions, records and manifests are on disk, as a run
would have left them, in a project of their own per size. They take about 4.5 GB for 100,000 videos, and are kept in the
folder that is named, so that they are made once. Each step is a node of the pipelines, run in a process of its own with
the datasets of the catalog: its inputs are loaded, its outputs checked and saved. The network and what it knows of
classes are those that `kedro run --pipelines=detection` has left in data/.

    python benchmarks/many_videos.py /tmp/many                      # all steps at three sizes
    python benchmarks/many_videos.py /tmp/many --videos 1000 --steps compare_recommenders

Growth is the exponent e of n^e between neighbouring sizes: 1 is proportional, 2 quadratic.
"""

import argparse
import json
import logging
import math
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from synthetic_corpus import VIDEOS_PER_BLOCK, SyntheticCorpus, SyntheticVideos, draw_hashes

from video_recommender.networks.detections import VERSION as DETECTION_VERSION
from video_recommender.networks.frame_classifier import LiteRTClassifier
from video_recommender.pipelines.deduplication.nodes import HASH_COLUMNS
from video_recommender.schemas import FrameManifest, NearDuplicates, VideoManifest
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import RECORDS, PartitionRecord

PROJECT = Path(__file__).parents[1]
LIST, ANSWER = "list detections", "answer for a new video"
STEPS = (
    LIST,
    "detect_objects",
    "summarise_detections",
    "find_near_duplicates",
    "select_corpus",
    "fit_object_space",
    "measure_importances",
    "compute_points",
    "compare_candidates",
    "train_category_classifier",
    "predict_categories",
    "measure_classification",
    "report_categories",
    "draw_confusion_matrix",
    "fit_recommender",
    "recommend_videos",
    "compare_recommenders",
    "compare_importances",
    "summarise_recommendations",
    ANSWER,
)
CLASSIFIER = "data/02_intermediate/object_classifier.pickle"
CLASS_EMBEDDINGS = "data/03_primary/class_embeddings.parquet"
WHAT_IT_IS = {"detect_objects": "detect_objects (nothing to do)"}
FRAME_EMBEDDING = 1280


@dataclass(frozen=True)
class Cost:
    """What one step took.

    Attributes:
        seconds: to load its inputs, do its work and save its outputs; start-up is not counted.
        peak_mib: most memory that the process has held, start-up included.
    """

    seconds: float
    peak_mib: float


def main() -> None:
    """Measure and print."""
    arguments = _parse()
    if arguments.child:
        print(json.dumps(asdict(measure_here(arguments.child, arguments.folder))))
        return
    costs: dict[int, dict[str, Cost]] = {}
    for videos in arguments.videos:
        project = arguments.folder / str(videos)
        make_project(project, videos)
        costs[videos] = {}
        for step in arguments.steps:
            costs[videos][step] = measure(step, project)
            print(f"{videos} {step}: {costs[videos][step]}", file=sys.stderr, flush=True)
    print(table(costs))


def table(costs: dict[int, dict[str, Cost]]) -> str:
    """The costs as a table in Markdown, with the exponents of growth."""
    sizes = list(costs)
    heads = ["step", *(f"{videos:,} s" for videos in sizes), *(f"{videos:,} MiB" for videos in sizes), "growth"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for step in costs[sizes[0]]:
        taken = [costs[videos][step] for videos in sizes]
        growth = [
            f"{math.log(after.seconds / before.seconds) / math.log(large / small):.2f}"
            for before, after, small, large in zip(taken, taken[1:], sizes, sizes[1:], strict=False)
        ]
        cells = [
            WHAT_IT_IS.get(step, step),
            *(f"{cost.seconds:.1f}" if cost.seconds >= 1 else f"{cost.seconds:.2g}" for cost in taken),
            *(f"{cost.peak_mib:.0f}" for cost in taken),
            ", ".join(growth),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measure(step: str, project: Path) -> Cost:
    """Run one step in a process of its own."""
    command = [sys.executable, __file__, str(project), "--child", step]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    if run.returncode:
        raise SystemExit(f"{step} has failed in {project}")
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def measure_here(step: str, project: Path) -> Cost:
    """Run one step in this process."""
    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(project)
    logging.disable(logging.INFO)
    with KedroSession.create(project_path=project) as session:
        catalog = session.load_context().catalog
        pipelines.set_requested(["__default__"])
        nodes = {node.short_name: node for node in pipelines["__default__"].nodes}
        began = time.perf_counter()
        if step == LIST:
            dataset = catalog["detections"]
            dataset.load()
            dataset.fingerprint()
        elif step == ANSWER:
            recommender = catalog.load("recommender")
            point = recommender.points_[:1].mean(axis=0, keepdims=True)
            recommender.recommend(pd.DataFrame(point, index=["new/video"], columns=recommender.axes_))
        else:
            _run(nodes[step], catalog)
        seconds = time.perf_counter() - began
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _run(node: Any, catalog: Any) -> None:
    made = node.func(*(catalog.load(name) for name in node.inputs))
    outputs = node.outputs
    if hasattr(made, "__next__"):
        for update in made:
            for name, part in zip(outputs, update if len(outputs) > 1 else (update,), strict=True):
                catalog.save(name, part)
        return
    for name, part in zip(outputs, made if len(outputs) > 1 else (made,), strict=True):
        catalog.save(name, part)


def make_project(project: Path, videos: int) -> None:
    """Lay out a project in which detection has run on so many videos, unless it is there."""
    if (project / "made").exists():
        shutil.rmtree(project / "conf")
        shutil.copytree(PROJECT / "conf", project / "conf")
        write_all_hashes(project / "data")
        return
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(PROJECT / "conf", project / "conf")
    shutil.copyfile(PROJECT / "pyproject.toml", project / "pyproject.toml")
    shutil.copyfile(PROJECT / ".telemetry", project / ".telemetry")
    (project / "src").mkdir()
    for place in (CLASSIFIER, CLASS_EMBEDDINGS):
        if not (PROJECT / place).exists():
            raise SystemExit(f"There is no {PROJECT / place}: run `kedro run --pipelines=detection` first")
        (project / place).parent.mkdir(parents=True)
        shutil.copyfile(PROJECT / place, project / place)
    began = time.perf_counter()
    corpus = SyntheticCorpus(pd.read_parquet(project / CLASS_EMBEDDINGS), videos)
    classifier: LiteRTClassifier = pd.read_pickle(project / CLASSIFIER)
    described = joblib.Parallel(n_jobs=-1, return_as="generator")(
        joblib.delayed(write_block)(block, corpus.class_names, project / "data", classifier.digest)
        for block in corpus.blocks()
    )
    manifest = pd.concat(described, ignore_index=True).sort_values("video_id", ignore_index=True)
    write_manifests(manifest, project / "data")
    write_all_hashes(project / "data")
    (project / "made").touch()
    print(f"{videos} videos made in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


def write_block(block: SyntheticVideos, class_names: Any, data: Path, network: str) -> pd.DataFrame:
    """Write the partitions and records of a thousand videos as the datasets would, but without their checks.

    Through the datasets it would take an hour for 100,000 videos, most of it in pandera.
    """
    rows = []
    for number, video_id in enumerate(block.video_ids):
        random = np.random.default_rng([block.groups[number], number])
        frames = int(random.integers(12, 25))
        shown = random.choice(block.objects[number], frames, p=block.shares[number])
        probabilities = block.probabilities[number]
        ranked = np.argsort(-probabilities, kind="stable")
        ranked = ranked[probabilities[ranked] > 0]
        features = np.maximum(
            random.standard_normal(FRAME_EMBEDDING) * 0.3 + np.resize(probabilities, FRAME_EMBEDDING), 0
        )
        contents = {
            "detections": {
                "frame": np.arange(1, frames + 1),
                "class_name": pa.array(class_names[shown], pa.large_string()),
                "confidence": random.beta(4, 3, frames).astype(np.float32),
            },
            "class_scores": {
                "class_name": pa.array(class_names[ranked], pa.large_string()),
                "probability": np.minimum(probabilities[ranked].astype(np.float64), 1),
            },
            "embeddings": {"value": features.astype(np.float32)},
        }
        of_frames = fingerprint("frames", video_id)
        _record(data / "02_intermediate/frames", video_id, PartitionRecord(of_frames, details={"frames": frames}))
        (data / "02_intermediate/frames" / video_id).mkdir(parents=True)
        record = PartitionRecord(fingerprint(DETECTION_VERSION, of_frames, network), details={"frames": frames})
        for name, columns in contents.items():
            place = data / "03_primary" / name / f"{video_id}.parquet"
            place.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(columns), place)
            _record(data / "03_primary" / name, video_id, record)
        rows.append(
            {
                "video_id": video_id,
                "category": video_id.split("/")[0],
                "title": ", ".join(dict.fromkeys(class_names[block.objects[number][:2]])),
                "group": f"uploader-{block.groups[number]}",
                "frames": frames,
                "fingerprint": of_frames,
            }
        )
    return pd.DataFrame(rows)


def write_manifests(videos: pd.DataFrame, data: Path) -> None:
    """Write the manifests of ingestion and preprocessing, and that no video repeats another."""
    unknown = dict.fromkeys(VideoManifest.to_schema().columns)
    told = {"status": "ok", "error": "", "duration_s": videos["frames"] / 3, "fps": 25.0, "width": 480, "height": 270}
    told |= {"sha256": videos["fingerprint"], "source": "drawn", "photos": ""}
    manifest = pd.DataFrame(unknown, index=videos.index).assign(
        **videos.drop(columns=["frames", "fingerprint"]), **told
    )
    cut = videos[["video_id", "frames", "fingerprint"]].assign(
        status="ok", error="", shots=None, shot_numbers="", times_s=""
    )
    for schema, rows, place in (
        (VideoManifest, manifest, "01_raw/video_manifest"),
        (FrameManifest, cut[list(FrameManifest.to_schema().columns)], "02_intermediate/frame_manifest"),
        (NearDuplicates, pd.DataFrame(columns=list(NearDuplicates.to_schema().columns)), "03_primary/near_duplicates"),
    ):
        file = data / f"{place}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        schema.validate(rows).to_parquet(file)


def write_all_hashes(data: Path) -> None:
    """Write the hashes of the frames of all videos, unless they are there."""
    place = data / "03_primary/frame_hashes"
    if place.exists():
        return
    names = pd.read_parquet(data / "01_raw/video_manifest.parquet", columns=["video_id"])["video_id"]
    aside = place.with_name("frame_hashes.part")
    shutil.rmtree(aside, ignore_errors=True)
    joblib.Parallel(n_jobs=-1)(
        joblib.delayed(write_hashes)(names[start : start + VIDEOS_PER_BLOCK].tolist(), start, aside)
        for start in range(0, len(names), VIDEOS_PER_BLOCK)
    )
    aside.rename(place)


def write_hashes(video_ids: list[str], start: int, folder: Path) -> None:
    """Write the hashes of a block of videos."""
    for video_id, hashed in zip(video_ids, draw_hashes(len(video_ids), 0, start), strict=True):
        columns = {"frame": np.arange(1, len(hashed) + 1)}
        place = folder / f"{video_id}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns | dict(zip(HASH_COLUMNS, hashed.hashes.T, strict=True))), place)
        _record(folder, video_id, PartitionRecord(fingerprint("hashes", video_id), details={"hashes": len(hashed)}))


def _record(folder: Path, video_id: str, record: PartitionRecord) -> None:
    place = folder / RECORDS / f"{video_id}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(record)))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the drawn videos are kept")
    parser.add_argument("--videos", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=STEPS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
