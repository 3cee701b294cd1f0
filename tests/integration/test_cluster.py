"""A run on a Dask cluster with all data in an object store has the same results as a local run."""

import os
import signal
import time

import psutil
import pytest
from object_store import BUCKET, object_store

DATA = f"{BUCKET}/data"
MODELS = ["02_intermediate/object_classifier.pickle", "02_intermediate/object_segmenter.pickle"]
NODES = ["download_videos", "list_videos", "collect_video", "describe_videos", "select_usable_videos"]
NODES += ["extract_frames", "detect_objects", "segment_objects"]
OUTPUT_FOLDERS = ["02_intermediate/frames", "03_primary/detections", "03_primary/class_scores", "03_primary/embeddings"]
OUTPUT_FOLDERS += ["03_primary/segmentations", "03_primary/segmentations_csv", "03_primary/segmentation_scores"]
CONF = {
    "globals.yml": f"data: s3://{DATA}\ndisk: data\n",
    "parameters.yml": """\
ingestion:
  source: folder
  folder: {path: videos}
workers:
  backend: dask
  jobs: 2
""",
}


@pytest.fixture
def store():
    with object_store() as store:
        yield store


def test_a_run_on_a_cluster_with_an_object_store_and_a_killed_worker_has_the_same_files(project, store):
    for model in MODELS:
        store.pipe_file(f"{DATA}/{model}", (project.data / model).read_bytes())
    (project.root / "conf" / "cluster").mkdir()
    for name, content in CONF.items():
        (project.root / "conf" / "cluster" / name).write_text(content)

    run = project.start("--env=cluster", f"--nodes={','.join(NODES)}")
    wait_until(lambda: len(store.glob(f"{DATA}/02_intermediate/frames/*/*/1.jpg")) >= 2, run)
    os.kill(workers_of(run)[0].pid, signal.SIGKILL)
    output, _ = run.communicate(timeout=120)

    assert run.returncode == 0, output
    assert "Dask's dashboard: http://" in output
    assert "12 of 12 videos succeeded" in output
    prefixes = tuple(f"{folder}/" for folder in OUTPUT_FOLDERS)
    here = {place: content for place, content in project.files().items() if place.startswith(prefixes)}
    places = [place for folder in OUTPUT_FOLDERS for place in store.find(f"{DATA}/{folder}") if "/.state/" not in place]
    there = {place.removeprefix(f"{DATA}/"): content for place, content in store.cat(places).items()}
    assert len(here) > 100
    assert there == here


def workers_of(run):
    """Return the worker processes that Dask started for a run."""
    started = psutil.Process(run.pid).children(recursive=True)
    return [process for process in started if "spawn_main" in " ".join(process.cmdline())]


def wait_until(condition, run):
    deadline = time.monotonic() + 120
    while not condition():
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)  # the object store runs in this process and needs CPU time
