"""Runs after changes of parameters or videos, and after kills, process only what is stale."""

import os
import shutil
import signal
import time

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from kedro.framework.project import pipelines
from kedro.server.http_server import create_http_server

from video_recommender.incremental import Partitions
from video_recommender.incremental.runner import stage_of

STAGES = [
    "ingestion",
    "preprocessing",
    "deduplication",
    "detection",
    "segmentation",
    "feature_engineering",
    "classification",
    "recommendation",
]
CLIP = "things/clip-002"
ALWAYS_RUN = {"download_videos", "list_videos", "select_usable_videos", "identify_segmentation_model"}
PER_PARTITION = {"collect_video", "extract_frames", "hash_frames", "detect_objects", "segment_objects"}
BUILDS_NETWORK = {
    "prepare_object_classifier",
    "build_object_segmenter",
    "read_segmented_classes",
}


@pytest.mark.parametrize(
    ("group", "name", "value", "stage"),
    [
        ("preprocessing", "size", 128, "preprocessing"),
        ("feature_engineering", "importance", "tf_idf", "feature_engineering"),
        ("classification", "folds", 3, "classification"),
        ("recommendation", "neighbours", 3, "recommendation"),
    ],
)
def test_a_changed_parameter_makes_its_stage_and_later_stages_stale(project, group, name, value, stage):
    tables, partitions = project.tables(), project.partitions()

    executed = set(project.run(params={group: {name: value}})) - ALWAYS_RUN
    remade = project.remade(partitions)

    nodes = pipelines["__default__"].nodes
    reads_it = {node.short_name for node in nodes if f"params:{group}" in node.inputs} - ALWAYS_RUN
    after = {node.short_name for node in pipelines["__default__"].from_nodes(*nodes_of(stage)).nodes}
    assert reads_it <= executed <= after - BUILDS_NETWORK
    later = partitions.keys() - {"videos"} if stage == "preprocessing" else set()
    assert {dataset: len(video_ids) for dataset, video_ids in remade.items()} == dict.fromkeys(later, 12)
    assert project.tables() != tables
    project.run()
    assert project.tables() == tables, "restoring the parameter does not restore the tables"


def test_only_a_replaced_video_is_processed(project, clips):
    partitions, points = project.partitions(), project.load("video_points")

    shutil.copy(clips / "animals/clip-001.mp4", project.videos / f"{CLIP}.mp4")
    project.run()

    assert project.remade(partitions) == {dataset: {CLIP} for dataset in partitions}
    moved = (project.load("video_points") != points).any(axis=1)
    assert moved[moved].index.tolist() == [CLIP]


def test_only_an_added_video_is_processed(project, clips):
    partitions = project.partitions()

    shutil.copy(clips / "animals/clip-001.mp4", project.videos / "things/new.mp4")
    project.run()

    assert project.remade(partitions) == {dataset: {"things/new"} for dataset in partitions}
    assert "things/new" in set(project.load("recommendations")["video_id"])


def test_a_deleted_video_is_removed_from_every_table_and_folder(project):
    partitions = project.partitions()

    (project.videos / f"{CLIP}.mp4").unlink()
    project.run()

    assert project.remade(partitions) == {dataset: {CLIP} for dataset in partitions}
    assert [file for file in project.data.rglob("*") if CLIP in file.as_posix()] == []
    tables = mentions(project, CLIP)
    assert len(tables) > 10
    assert [name for name, mentioned in tables.items() if mentioned] == []
    assert [place for place, content in project.files().items() if CLIP.encode() in content] == []


def test_a_touched_video_is_collected_again_but_not_processed(project):
    partitions, tables = project.partitions(), project.tables()

    (project.videos / f"{CLIP}.mp4").touch()
    project.run()

    assert project.remade(partitions) == {"videos": {CLIP}}
    assert project.tables() == tables


def test_deleted_frames_are_extracted_again(project):
    files = project.files()

    shutil.rmtree(project.data / "02_intermediate/frames" / CLIP)
    project.run()

    assert project.files() == files


def test_kedro_server_skips_outputs_that_are_up_to_date(project):
    partitions, lost = project.partitions(), project.data / "07_model_output/recommendations.parquet"
    before = lost.read_bytes()
    lost.unlink()

    with TestClient(create_http_server(project.root)) as client:
        answer = client.post("/run", json={}).json()

    assert answer["status"] == "success", answer
    assert project.remade(partitions) == {}
    assert lost.read_bytes() == before


def test_a_deleted_table_is_recomputed(project):
    files = project.files()
    (project.data / "07_model_output/recommendations.parquet").unlink()

    executed = project.run()

    assert set(executed) - ALWAYS_RUN == {"recommend_videos"}
    assert project.files() == files


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no process groups")
def test_a_run_that_is_killed_repeatedly_has_the_same_tables_and_repeats_no_work(project):
    tables = project.tables()
    project.forget()
    moments = [
        ("loky", lambda: len(list(project.data.glob("02_intermediate/frames/*/*/"))) >= 4),
        ("sequential", lambda: len(list(project.data.glob("03_primary/detections/*/*.parquet"))) >= 4),
        ("sequential", lambda: project.data.joinpath("05_model_input/candidate_comparison.pickle").exists()),
    ]
    complete = {}

    for backend, condition in moments:
        kill_when(condition, project.start(f"--params=workers.backend={backend},workers.jobs=2"))
        done = complete_partitions(project)
        assert {name: done[name] for name in complete} == complete, "a complete partition was recomputed"
        complete = done
    project.run()

    done = complete_partitions(project)
    assert {name: done[name] for name in complete} == complete, "a complete partition was recomputed"
    assert project.tables() == tables
    assert list(project.data.rglob(".part-*")) == []


def nodes_of(stage):
    return [node.name for node in pipelines["__default__"].nodes if stage_of(node) == stage]


def mentions(project, video_id):
    """Return whether each table or partitioned dataset contains a video, by dataset."""
    found = {}
    catalog = project.catalog()
    for name in filter(catalog.exists, pipelines["__default__"].all_outputs()):
        content = catalog.load(name)
        if isinstance(content, pd.DataFrame):
            found[name] = video_id in content.to_csv()
        elif isinstance(content, Partitions):
            found[name] = video_id in content.states
    return found


def kill_when(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, f"the run ended before it could be killed:\n{process.stdout.read()}"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def complete_partitions(project):
    """Return the state and file time of each partition that its stage has completed in all outputs."""
    made, catalog = project.partitions(), project.catalog()
    complete = {}
    for node in pipelines["__default__"].nodes:
        if node.short_name in PER_PARTITION and set(node.outputs) <= made.keys():
            finished = set.intersection(*(set(catalog.load(dataset)) for dataset in node.outputs))
            complete |= {(dataset, video): made[dataset][video] for dataset in node.outputs for video in finished}
    return complete
