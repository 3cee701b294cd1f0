import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import pytest
from pydantic import ValidationError

from video_recommender.incremental import parallel
from video_recommender.incremental.parallel import Outcome, WorkerOptions, call_apart, map_videos
from video_recommender.media.video import VideoError
from video_recommender.storage.paths import is_disk_full

# Functions for workers are defined inside the tests: they travel by value, for workers cannot import a test.
WORKERS = WorkerOptions(jobs=2)
HERE = WorkerOptions(backend="sequential")
CLUSTER = WorkerOptions(backend="dask", jobs=2)
INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from video_recommender.incremental.parallel import WorkerOptions, map_videos

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it on behalf of what runs in the background
folder = Path(sys.argv[1])

def work(number):
    (folder / str(os.getpid())).touch()
    time.sleep(0.2)

workers = WorkerOptions(jobs=2, backend=sys.argv[2])
for _ in map_videos(work, {f"pets/{n}": n for n in range(10_000)}, workers, "Working"):
    pass
"""


def outcomes_of(function, tasks, workers):
    return {outcome.video_id: outcome for outcome in map_videos(function, tasks, workers, "Testing")}


@pytest.mark.parametrize("workers", [WORKERS, HERE, CLUSTER], ids=["workers", "here", "cluster"])
def test_one_bad_video_never_stops_the_others(workers):
    def work(number):
        if number == 1:
            raise VideoError("unreadable", "this is no video")
        if number == 2:
            raise ZeroDivisionError("a mistake of ours")
        return number * 10

    outcomes = outcomes_of(work, {"pets/cat": 0, "pets/dog": 1, "pets/emu": 2, "pets/fox": 3}, workers)

    assert outcomes == {
        "pets/cat": Outcome("pets/cat", 0),
        "pets/dog": Outcome("pets/dog", None, "unreadable", "this is no video"),
        "pets/emu": Outcome("pets/emu", None, "failed", "ZeroDivisionError: a mistake of ours"),
        "pets/fox": Outcome("pets/fox", 30),
    }


@pytest.mark.parametrize("workers", [WORKERS, HERE, CLUSTER], ids=["workers", "here", "cluster"])
def test_a_full_disk_stops_everything_for_no_other_video_would_fare_better(workers):
    def work(number):
        if number == 2:
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as full:
                raise RuntimeError("could not be saved") from full
        return number

    with pytest.raises(OSError, match="pets/2: could not be saved") as caught:
        outcomes_of(work, {f"pets/{number}": number for number in range(5)}, workers)

    assert is_disk_full(caught.value)


@pytest.mark.parametrize("workers", [WORKERS, CLUSTER], ids=["workers", "cluster"])
def test_video_that_kills_its_worker_is_marked_and_all_others_are_done(workers):
    def work(number):
        if number == 7:
            os.kill(os.getpid(), signal.SIGSEGV)
        return number

    outcomes = outcomes_of(work, {f"pets/{number}": number for number in range(24)}, workers)

    crashed = outcomes.pop("pets/7")
    assert crashed.status == "crashed"
    assert "worker process died" in crashed.error
    assert sorted(outcome.result for outcome in outcomes.values()) == [*range(7), *range(8, 24)]


@pytest.mark.parametrize("workers", [WORKERS, CLUSTER], ids=["workers", "cluster"])
def test_video_whose_worker_died_by_chance_is_done_after_all(tmp_path, workers):
    def work(number):
        if number == 2 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os._exit(1)
        return number

    outcomes = outcomes_of(work, {f"pets/{number}": number for number in range(6)}, workers)

    assert [outcomes[f"pets/{number}"].result for number in range(6)] == list(range(6))


@pytest.mark.parametrize("workers", [WORKERS, CLUSTER], ids=["workers", "cluster"])
def test_workers_do_not_run_ahead_of_whoever_takes_the_results(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(parallel, "RESULTS_IN_MEMORY", 12)

    def work(number):
        (tmp_path / str(number)).touch()
        return bytes(300_000)

    outcomes = map_videos(work, {f"pets/{number}": number for number in range(300)}, workers, "Testing")
    taken = [next(outcomes)]
    done = -1
    while done != (done := len(list(tmp_path.iterdir()))):
        time.sleep(0.5)
    taken += outcomes

    assert 1 <= done <= 1 + 12
    assert {outcome.video_id for outcome in taken} == {f"pets/{number}" for number in range(300)}
    assert len(taken) == 300


@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed")
@pytest.mark.parametrize("workers", [WORKERS, CLUSTER], ids=["workers", "cluster"])
def test_results_come_while_others_are_still_at_work(tmp_path, workers):
    def work(number):
        (tmp_path / str(number)).touch()
        time.sleep(0.05)

    outcomes = map_videos(work, {f"pets/{number}": number for number in range(40)}, workers, "Testing")
    next(outcomes)
    begun = len(list(tmp_path.iterdir()))
    outcomes.close()

    assert begun < 40


class Model:
    """Counts how often it is unpacked."""

    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.folder = state["folder"]
        (self.folder / str(time.monotonic_ns())).touch()


def test_a_cluster_sends_a_model_to_each_worker_once_not_with_each_video(tmp_path):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    model = Model(tmp_path)

    def work(number, model=model):
        return number

    outcomes = outcomes_of(work, {f"pets/{number}": number for number in range(40)}, CLUSTER)

    assert len(outcomes) == 40
    assert 1 <= len(list(tmp_path.iterdir())) <= 4


def test_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("video_recommender.incremental.dask_cluster.ANSWER_S", 1)
    nowhere = WorkerOptions(backend="dask", scheduler="tcp://127.0.0.1:1")

    with pytest.raises(ConnectionError, match=r"No Dask scheduler answers at tcp://127.0.0.1:1: start one"):
        outcomes_of(len, {"pets/cat": "cat"}, nowhere)


def test_missing_dask_is_said_in_a_sentence_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "video_recommender.incremental.dask_cluster", None)
    monkeypatch.delattr("video_recommender.incremental.dask_cluster", raising=False)

    with pytest.raises(ValueError, match=r"pip install 'video-recommender\[cluster\]'"):
        outcomes_of(len, {"pets/cat": "cat"}, CLUSTER)


def test_scheduler_without_a_cluster_is_refused():
    with pytest.raises(ValidationError, match=r"choose workers\.backend=dask"):
        WorkerOptions(scheduler="tcp://10.0.0.1:8786")


def test_no_videos_need_no_workers():
    assert outcomes_of(len, {}, WORKERS) == {}


@pytest.mark.parametrize("wrong", [{"backend": "threads"}, {"job": 2}])
def test_mistyped_worker_option_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WorkerOptions(**wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("whom", "backend"), [("parent", "loky"), ("group", "loky"), ("group", "dask")])
def test_interrupted_run_leaves_no_workers_behind(tmp_path, whom, backend):
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), backend],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(file.name) for file in tmp_path.iterdir()]

    (os.kill if whom == "parent" else os.killpg)(run.pid, signal.SIGINT)

    assert run.wait(timeout=20) != 0
    wait_until(lambda: not any(is_alive(worker) for worker in workers))


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path("/proc", str(process), "stat")
    return not stat.exists() or ") Z " not in stat.read_text()


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_idle_workers_end_and_leave_their_memory_to_the_next_stage(monkeypatch):
    monkeypatch.setattr(parallel, "IDLE_WORKER_TIMEOUT_S", 0.2)

    def process_id(_task):
        return os.getpid()

    first = outcomes_of(process_id, {"pets/cat": 1, "pets/dog": 2}, WORKERS)

    wait_until(lambda: not any(is_alive(outcome.result) for outcome in first.values()))
    again = outcomes_of(process_id, {"pets/cat": 1, "pets/dog": 2}, WORKERS)
    assert {outcome.status for outcome in again.values()} == {"ok"}


def test_what_is_called_apart_answers_from_a_process_that_is_gone_afterwards():
    pid = call_apart(os.getpid)

    assert pid != os.getpid()
    assert not Path(f"/proc/{pid}").exists()


def test_what_fails_apart_says_why():
    with pytest.raises(ValueError, match="invalid literal"):
        call_apart(int, "many")


def test_no_workers_at_all_are_refused():
    with pytest.raises(ValidationError, match="Nobody would work"):
        WorkerOptions(jobs=0)


def refuse_undecodable_name(_task):
    raise VideoError("empty", "bad\udcff.mp4 is empty")


def test_an_error_that_names_a_file_in_no_encoding_can_be_stored():
    (outcome,) = map_videos(refuse_undecodable_name, {"pets/bad": 1}, WorkerOptions(backend="sequential"), "Working")

    assert outcome.error.encode() == b"bad?.mp4 is empty"
