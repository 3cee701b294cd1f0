"""Executors with the interface `concurrent.futures.Executor`, and a map over partitions that isolates failures."""

import errno
import logging
import os
import queue
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

import cloudpickle
from pydantic import AfterValidator, BaseModel, model_validator
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from video_recommender.incremental.per_partition import expected_problem
from video_recommender.storage.partitions import PartitionState, storable
from video_recommender.storage.paths import is_disk_full

R = TypeVar("R")

TASKS_PER_WORKER: Final = 4
"""Tasks submitted at a time: enough to keep workers busy, few enough to retry one by one if a worker dies."""

POLL_INTERVAL_S: Final = 0.5
IDLE_WORKER_TIMEOUT_S: Final = 5
"""Long enough for the next stage to reuse the workers; then they end, which frees their memory."""

ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a worker: one worker per core, each with one thread."""

CRASHED: Final = PartitionState(
    status="crashed", error="The worker process died: the file may be damaged, or too large for memory", retry=True
)

logger = logging.getLogger(__name__)


class TaskCrashedError(Exception):
    """The workers that ran a task have died; the executor can run other tasks."""


def _not_zero(jobs: int) -> int:
    if jobs == 0:
        raise ValueError("At least 1 worker is required: set -1 for one per core")
    return jobs


class WorkerOptions(BaseModel, extra="forbid", frozen=True):
    """Executor of per-partition nodes (parameter group `workers`)."""

    backend: Literal["loky", "threading", "sequential", "dask"] = "loky"
    jobs: Annotated[int, AfterValidator(_not_zero)] = -1
    scheduler: str | None = None

    @model_validator(mode="after")
    def _check_scheduler(self) -> Self:
        if self.scheduler is not None and self.backend != "dask":
            raise ValueError(f"The backend {self.backend} has no scheduler: set workers.backend=dask")
        return self

    @property
    def workers(self) -> int:
        """Number of workers on this machine."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.jobs if self.jobs > 0 else max(1, cores + 1 + self.jobs)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The outcome of one partition."""

    key: str
    result: R | None = None  # return value of the function
    problem: PartitionState | None = None  # state without fingerprint, if the partition failed
    traceback: str = ""  # of an unexpected exception


def map_partitions(
    function: Callable[[str, Any], R],
    tasks: Iterable[tuple[str, Any]],
    total: int,
    options: WorkerOptions,
    description: str,
) -> Iterator[Outcome[R] | None]:
    """Apply a function to every partition, on all workers, and show a progress bar.

    Args:
        function: picklable; takes a key and its task. An exception becomes the state of that partition, unless the disk
            is full. If a worker process dies, its partition is retried once alone, then its status is `crashed`.
        tasks: pairs of key and task, consumed shortly before a worker is free. A task is sent to another process, so it
            must be small, such as a path.
        total: number of tasks.
        options: the executor.
        description: label of the progress bar.

    Yields:
        One outcome per partition, in order of completion; None every 0.5 s while there is no new outcome.

    Raises:
        OSError: if the disk is full.
    """
    if not total:
        return
    with _progress() as progress:
        bar = progress.add_task(description, total=total)
        for outcome in _outcomes(function, iter(tasks), options):
            if outcome is not None:
                progress.advance(bar)
            yield outcome


class InlineExecutor(Executor):
    """Runs each call immediately in the calling thread, for debugging."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> "Future[R]":
        """Run a call."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - `result()` raises it
            future.set_exception(error)
        return future


@contextmanager
def open_executor(options: WorkerOptions, function: Callable[..., Any]) -> Iterator[tuple[Executor, Any, int]]:
    """Open an executor and share a function with its workers: a model is too large to send with each call.

    Yields:
        The executor, a handle of the function for `call_shared`, and the number of workers.
    """
    match options.backend:
        case "sequential":
            yield InlineExecutor(), function, 1
        case "threading":
            with ThreadPoolExecutor(options.workers) as executor:
                try:
                    yield executor, function, options.workers
                finally:
                    executor.shutdown(cancel_futures=True)
        case "loky":
            with tempfile.TemporaryDirectory(prefix="incremental-") as folder:
                file = Path(folder, "function.pickle")
                file.write_bytes(cloudpickle.dumps(function))
                executor = _reusable_processes(options.workers)
                try:
                    yield executor, SharedFile(str(file)), options.workers
                except BaseException:
                    executor.shutdown(kill_workers=True)
                    raise
        case "dask":
            with _dask(options, function) as opened:
                yield opened


@dataclass(frozen=True)
class SharedFile:
    """A pickled function that each worker on this machine loads once."""

    path: str


_loaded: tuple[str, Any] = ("", None)


def call_shared(handle: Any, key: str, task: Any) -> Outcome[Any]:
    """Call a shared function in a worker; raise only an `OSError` if the disk is full."""
    global _loaded  # noqa: PLW0603 - a worker caches the function of the current node
    if isinstance(handle, SharedFile):
        if _loaded[0] != handle.path:
            _loaded = ("", None)  # frees the previous one first
            _loaded = (handle.path, cloudpickle.loads(Path(handle.path).read_bytes()))
        handle = _loaded[1]
    try:
        return Outcome(key, handle(key, task))
    except Exception as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, f"{key}: {error}") from error  # pickling between processes drops causes
        problem = expected_problem(error)
        if problem is not None:
            return Outcome(key, problem=problem)
        message = storable(f"{type(error).__name__}: {error}")
        state = PartitionState(status="failed", error=message, retry=True)
        return Outcome(key, problem=state, traceback=storable("".join(traceback.format_exception(error))))


def _outcomes(
    function: Callable[[str, Any], R], tasks: Iterator[tuple[str, Any]], options: WorkerOptions
) -> Iterator[Outcome[R] | None]:
    """Run all tasks; retry the tasks that were submitted when a worker died, one by one."""
    for first in tasks:  # one round, and another one each time a worker has died
        suspects: dict[str, Any] = {}
        with open_executor(options, function) as (executor, handle, workers):
            yield from _run(executor, handle, workers, chain([first], tasks), suspects)
            if options.backend == "dask":
                yield from _run_one_by_one(executor, handle, suspects)
        yield from _run_one_by_one(None, cloudpickle.dumps(function) if suspects else b"", suspects)


def _run(
    executor: Executor, handle: Any, workers: int, tasks: Iterator[tuple[str, Any]], suspects: dict[str, Any]
) -> Iterator[Outcome[Any] | None]:
    """Submit a few tasks at a time and yield outcomes; if a worker dies, add the submitted tasks to the suspects."""
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    submitted: dict[str, tuple[Any, Future[Outcome[Any]]]] = {}
    limit = 1 if isinstance(executor, InlineExecutor) else TASKS_PER_WORKER * workers
    try:
        while True:
            while len(submitted) < limit and (following := next(tasks, None)):
                key, task = following
                try:
                    future = executor.submit(call_shared, handle, key, task)
                except BrokenExecutor:
                    suspects[key] = task
                    break
                submitted[key] = task, future
                future.add_done_callback(partial(_put, done, key))
            if not submitted:
                return
            try:
                key = done.get(timeout=POLL_INTERVAL_S)
            except queue.Empty:
                yield None
                continue
            task, future = submitted.pop(key)
            try:
                outcome = future.result()
            except (TaskCrashedError, BrokenExecutor):
                suspects[key] = task
                continue
            yield outcome
    finally:
        for _, future in submitted.values():
            future.cancel()


def _put(done: "queue.SimpleQueue[str]", key: str, _future: "Future[Any]") -> None:
    done.put(key)


def _run_one_by_one(executor: Executor | None, handle: Any, suspects: dict[str, Any]) -> Iterator[Outcome[Any]]:
    """Retry tasks one at a time, which identifies the task that kills its worker.

    The executor is a cluster that replaces dead workers, or None for a separate process.
    """
    while suspects:
        with nullcontext(executor) if executor else _single_process() as current:
            while suspects:
                key = next(iter(suspects))
                task = suspects.pop(key)
                try:
                    outcome = current.submit(
                        _call_pickled if executor is None else call_shared, handle, key, task
                    ).result()
                except (TaskCrashedError, BrokenExecutor):
                    yield Outcome(key, problem=CRASHED)
                    break
                yield outcome


def _reusable_processes(workers: int) -> Any:
    from loky import get_reusable_executor

    return get_reusable_executor(max_workers=workers, timeout=IDLE_WORKER_TIMEOUT_S, env=dict(ONE_THREAD))


@contextmanager
def _single_process() -> Iterator[Executor]:
    from loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(max_workers=1, env=dict(ONE_THREAD))
    try:
        yield executor
    finally:
        executor.shutdown(kill_workers=True)


def _call_pickled(function: bytes, key: str, task: Any) -> Outcome[Any]:
    return call_shared(cloudpickle.loads(function), key, task)


@contextmanager
def _dask(options: WorkerOptions, function: Callable[..., Any]) -> Iterator[tuple[Executor, Any, int]]:
    try:
        from video_recommender.incremental.dask_executor import open_dask_executor
    except ImportError as error:
        raise ValueError(
            f"Dask is not installed ({error}): pip install 'video-recommender[cluster]', or set another backend"
        ) from error
    with open_dask_executor(options.scheduler, options.workers, function) as opened:
        yield opened


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
    )
