"""On a Dask cluster, with everything in an object store, a run gives the same as on one machine."""

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
MADE = ["02_intermediate/frames", "03_primary/detections", "03_primary/class_scores", "03_primary/embeddings"]
MADE += ["03_primary/segmentations", "03_primary/segmentations_csv", "03_primary/segmentation_scores"]
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


def test_killed_worker_of_a_cluster_costs_nothing_and_an_object_store_holds_the_same_to_the_byte(project, store):
    for model in MODELS:
        store.pipe_file(f"{DATA}/{model}", (project.data / model).read_bytes())
    (project.root / "conf" / "cluster").mkdir()
    for name, content in CONF.items():
        (project.root / "conf" / "cluster" / name).write_text(content)

    run = project.start("--env=cluster", f"--nodes={','.join(NODES)}")
    wait_until(lambda: len(store.glob(f"{DATA}/02_intermediate/frames/*/*/1.jpg")) >= 2, run)
    os.kill(workers_of(run)[0].pid, signal.SIGKILL)
    told, _ = run.communicate(timeout=120)

    assert run.returncode == 0, told
    assert "Dask's dashboard: http://" in told
    assert "12 of 12 videos succeeded" in told
    made = tuple(f"{folder}/" for folder in MADE)
    here = {place: content for place, content in project.files().items() if place.startswith(made)}
    places = [place for folder in MADE for place in store.find(f"{DATA}/{folder}") if "/.state/" not in place]
    there = {place.removeprefix(f"{DATA}/"): content for place, content in store.cat(places).items()}
    assert len(here) > 100
    assert there == here


def workers_of(run):
    """The processes that Dask has started for a run."""
    started = psutil.Process(run.pid).children(recursive=True)
    return [process for process in started if "spawn_main" in " ".join(process.cmdline())]


def wait_until(condition, run):
    deadline = time.monotonic() + 120
    while not condition():
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)  # the store lives in this process and has work to do
