"""Mapping partitions over workers: processes, threads, a Dask cluster, or the main process."""

import errno
import os
import queue
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cloudpickle
import dask
import pytest
from pydantic import ValidationError

from video_recommender.incremental import WorkerOptions, dask_executor, executors
from video_recommender.incremental.executors import CRASHED, map_partitions
from video_recommender.storage.paths import is_disk_full

# Functions for workers are defined in the tests: they are pickled by value, because workers cannot import a test.
PROCESSES = WorkerOptions(jobs=1)  # a second worker would take a second to start in every test
THREADS = WorkerOptions(backend="threading", jobs=2)
SEQUENTIAL = WorkerOptions(backend="sequential")
CLUSTER = WorkerOptions(backend="dask", jobs=2)

everywhere = pytest.mark.parametrize(
    "options", [PROCESSES, THREADS, SEQUENTIAL, CLUSTER], ids=["processes", "threads", "sequential", "cluster"]
)
on_processes = pytest.mark.parametrize("options", [PROCESSES, CLUSTER], ids=["processes", "cluster"])


class UnreadableError(Exception):
    status = "unreadable"


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Pickle this module by value, and limit Dask to one retry of a task whose worker died, instead of three."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        yield
        for client in dask_executor._clients.values():
            client.shutdown()
        dask_executor._clients.clear()
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def start(function, tasks, options):
    def work(_key, task):
        return function(task)

    return map_partitions(work, iter(tasks.items()), len(tasks), options, "Testing")


def outcomes_of(function, tasks, options):
    return {outcome.key: outcome for outcome in start(function, tasks, options) if outcome is not None}


@everywhere
def test_a_failed_partition_does_not_stop_the_others(options):
    def work(number):
        if number == 1:
            raise UnreadableError("not a video")
        if number == 2:
            raise ZeroDivisionError("a bug")
        return number * 10

    outcomes = outcomes_of(work, {"pets/cat": 0, "pets/dog": 1, "pets/emu": 2, "pets/fox": 3}, options)

    assert (outcomes["pets/cat"].result, outcomes["pets/fox"].result) == (0, 30)
    expected, bug = outcomes["pets/dog"], outcomes["pets/emu"]
    assert (expected.problem.status, expected.problem.error, expected.traceback) == (
        "unreadable",
        "not a video",
        "",
    )
    assert (bug.problem.status, bug.problem.error) == ("failed", "ZeroDivisionError: a bug")
    assert 'raise ZeroDivisionError("a bug")' in bug.traceback


@everywhere
def test_a_full_disk_stops_the_map(options):
    def work(number):
        if number == 2:
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as full:
                raise RuntimeError("could not be saved") from full
        return number

    with pytest.raises(OSError, match="pets/2: could not be saved") as caught:
        outcomes_of(work, {f"pets/{number}": number for number in range(5)}, options)

    assert is_disk_full(caught.value)


@on_processes
def test_a_partition_that_kills_its_worker_is_marked_as_crashed_and_all_others_are_processed(options):
    def work(number):
        if number == 7:
            os.kill(os.getpid(), signal.SIGSEGV)
        return number

    outcomes = outcomes_of(work, {f"pets/{number}": number for number in range(16)}, options)

    assert outcomes.pop("pets/7").problem == CRASHED
    assert sorted(outcome.result for outcome in outcomes.values()) == [*range(7), *range(8, 16)]


@on_processes
def test_a_partition_whose_worker_died_once_is_retried(tmp_path, options):
    def work(number):
        if number == 2 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os._exit(1)
        return number

    outcomes = outcomes_of(work, {f"pets/{number}": number for number in range(6)}, options)

    assert [outcomes[f"pets/{number}"].result for number in range(6)] == list(range(6))


def test_partitions_that_finished_before_a_worker_died_are_not_processed_again(tmp_path):
    def work(number):
        if number == 5:
            while len(list(tmp_path.iterdir())) < 4:
                time.sleep(0.01)
            time.sleep(0.3)
            os._exit(1)
        (tmp_path / f"{number}-{time.monotonic_ns()}").touch()
        return number

    tasks = start(work, {str(number): number for number in [5, 0, 1, 2, 3]}, WorkerOptions(jobs=2))
    first = next(tasks)  # a slow consumer: other results wait
    while len(list(tmp_path.iterdir())) < 4:
        time.sleep(0.01)
    time.sleep(0.6)
    outcomes = [first, *tasks]

    done = Counter(file.name.partition("-")[0] for file in tmp_path.iterdir())
    assert {outcome.key: outcome.result for outcome in outcomes if outcome} == {
        "0": 0,
        "1": 1,
        "2": 2,
        "3": 3,
        "5": None,
    }
    assert done == dict.fromkeys("0123", 1)


@on_processes
def test_workers_do_not_run_ahead_of_a_slow_consumer(tmp_path, options):
    def work(number):
        (tmp_path / str(number)).touch()
        return bytes(300_000)

    outcomes = start(work, {f"pets/{number}": number for number in range(60)}, options)
    taken = [next(outcome for outcome in outcomes if outcome)]
    done = -1
    while done != (done := len(list(tmp_path.iterdir()))):
        time.sleep(0.3)
    taken += [outcome for outcome in outcomes if outcome]

    assert 1 <= done <= executors.TASKS_PER_WORKER * options.workers
    assert {outcome.key for outcome in taken} == {f"pets/{number}" for number in range(60)}
    assert len(taken) == 60


def test_tasks_are_consumed_shortly_before_a_worker_is_free():
    taken = []

    def tasks():
        for number in range(100):
            taken.append(number)
            yield str(number), number

    outcomes = map_partitions(lambda _key, task: task, tasks(), 100, SEQUENTIAL, "Testing")
    seen = [(next(outcomes).result, len(taken)) for _ in range(3)]
    outcomes.close()

    assert seen == [(0, 1), (1, 2), (2, 3)]


@everywhere
@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed")
def test_results_are_yielded_while_other_tasks_are_running(tmp_path, options):
    def work(number):
        (tmp_path / str(number)).touch()
        time.sleep(0.02)

    outcomes = start(work, {f"pets/{number}": number for number in range(40)}, options)
    next(outcome for outcome in outcomes if outcome)
    begun = len(list(tmp_path.iterdir()))
    outcomes.close()

    assert begun < 40


def test_none_is_yielded_while_there_is_no_result(monkeypatch):
    monkeypatch.setattr(executors, "POLL_INTERVAL_S", 0.01)
    released = queue.SimpleQueue()

    outcomes = start(lambda _number: released.get(), {"pets/cat": 1}, THREADS)
    first = next(outcomes)
    released.put("done")

    assert first is None
    assert next(outcome for outcome in outcomes if outcome).result == "done"


class Model:
    """Counts how often it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.folder = state["folder"]
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()


@on_processes
def test_a_model_is_sent_once_to_each_worker(tmp_path, options):
    model = Model(tmp_path)

    outcomes = outcomes_of(lambda number: (number, model)[0], {str(number): number for number in range(40)}, options)

    assert len(outcomes) == 40
    assert 1 <= len(list(tmp_path.iterdir())) <= 4


def test_local_cluster_replaces_workers_that_dask_does_not_restart(monkeypatch):
    monkeypatch.setattr(dask_executor, "RESTART_INTERVAL_S", 0.2)
    options = WorkerOptions(backend="dask", jobs=1)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}):
        client = dask_executor.connect(None, 1)
        for nanny in list(client.cluster.workers.values()):
            client.sync(nanny.close)

        outcomes = outcomes_of(lambda number: number + 1, {"pets/cat": 1}, options)

    assert outcomes["pets/cat"].result == 2


def test_a_scheduler_that_does_not_answer_is_reported_with_its_address(monkeypatch):
    monkeypatch.setattr("video_recommender.incremental.dask_executor.CONNECT_TIMEOUT_S", 0.2)
    nowhere = WorkerOptions(backend="dask", scheduler="tcp://127.0.0.1:1")

    with pytest.raises(ConnectionError, match=r"The Dask scheduler at tcp://127.0.0.1:1 does not answer: run"):
        outcomes_of(len, {"pets/cat": "cat"}, nowhere)


def test_missing_dask_is_reported_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "video_recommender.incremental.dask_executor", None)
    monkeypatch.delattr("video_recommender.incremental.dask_executor", raising=False)

    with pytest.raises(ValueError, match=r"pip install 'video-recommender\[cluster\]'"):
        outcomes_of(len, {"pets/cat": "cat"}, CLUSTER)


def test_a_scheduler_without_the_dask_backend_is_rejected():
    with pytest.raises(ValidationError, match=r"set workers\.backend=dask"):
        WorkerOptions(scheduler="tcp://10.0.0.1:8786")


def test_no_partitions_need_no_workers(monkeypatch):
    monkeypatch.setattr(executors, "open_executor", lambda *_: pytest.fail("opened"))

    assert outcomes_of(len, {}, PROCESSES) == {}


@pytest.mark.parametrize("options", [{"backend": "ray"}, {"job": 2}, {"jobs": 0}])
def test_an_invalid_worker_option_is_rejected(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        WorkerOptions(**options)


def test_the_number_of_workers_depends_on_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    assert [WorkerOptions(jobs=jobs).workers for jobs in (3, -1, -2, -20)] == [3, 8, 7, 1]


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from video_recommender.incremental.executors import WorkerOptions, map_partitions

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores SIGINT for background processes
folder = Path(sys.argv[1])

def work(key, number):
    (folder / str(os.getpid())).touch()
    time.sleep(0.2)

options = WorkerOptions(jobs=2, backend=sys.argv[2])
for _ in map_partitions(work, ((str(n), n) for n in range(10_000)), 10_000, options, "Working"):
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("target", "backend"), [("parent", "loky"), ("group", "loky"), ("group", "dask")])
def test_interrupted_run_leaves_no_workers_behind(tmp_path, target, backend):
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), backend],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(file.name) for file in tmp_path.iterdir()]

    (os.kill if target == "parent" else os.killpg)(run.pid, signal.SIGINT)

    assert run.wait(timeout=30) != 0
    wait_until(lambda: not any(is_alive(worker) for worker in workers))


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path("/proc", str(process), "stat")
    return not stat.exists() or ") Z " not in stat.read_text()


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_idle_workers_end_and_free_their_memory(monkeypatch):
    monkeypatch.setattr(executors, "IDLE_WORKER_TIMEOUT_S", 0.2)

    def process_id(_task):
        return os.getpid()

    first = outcomes_of(process_id, {"pets/cat": 1}, PROCESSES)["pets/cat"].result

    wait_until(lambda: not is_alive(first))
    assert outcomes_of(process_id, {"pets/cat": 1}, PROCESSES)["pets/cat"].result != first


def test_an_error_with_a_file_name_that_is_not_unicode_can_be_stored():
    def refuse(_task):
        raise UnreadableError("bad\udcff.mp4 is empty")

    (outcome,) = start(refuse, {"pets/bad": 1}, SEQUENTIAL)

    assert outcome.problem.error.encode() == b"bad?.mp4 is empty"
