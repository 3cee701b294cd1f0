"""Executors of the standard interface (`concurrent.futures.Executor`), and a map over partitions that none can stop."""

import errno
import logging
import os
import queue
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

import cloudpickle
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from video_recommender.incremental.partitions import PartitionState
from video_recommender.incremental.per_partition import expected_problem, storable
from video_recommender.storage.disk_space import is_disk_full

R = TypeVar("R")

TASKS_PER_WORKER: Final = 4
"""Tasks that are submitted at a time: enough to keep a worker busy, few enough to try each again if a worker dies."""

TICK_S: Final = 0.5

IDLE_WORKER_TIMEOUT_S: Final = 5
"""A worker holds up to 0.4 GB. A stage that follows at once finds it ready; otherwise it ends and frees its memory."""

ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a worker: there are as many workers as cores."""

CRASHED: Final = PartitionState(
    status="crashed", error="Its worker process died: the file may be damaged, or too large for the memory", retry=True
)

logger = logging.getLogger(__name__)


class TaskCrashedError(Exception):
    """The workers that ran a task have died, and the executor goes on with the others."""


def _not_zero(jobs: int) -> int:
    if jobs == 0:
        raise ValueError("There must be at least 1 worker: give -1 for one per core")
    return jobs


class WorkerOptions(BaseModel):
    """Where per-partition nodes run (parameter group `workers`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: Literal["loky", "threading", "sequential", "dask"] = "loky"
    jobs: Annotated[int, AfterValidator(_not_zero)] = -1
    scheduler: str | None = None

    @model_validator(mode="after")
    def _check_scheduler(self) -> Self:
        if self.scheduler is not None and self.backend != "dask":
            raise ValueError(f"The backend {self.backend} has no scheduler: choose workers.backend=dask")
        return self

    @property
    def workers(self) -> int:
        """The number of workers on this machine."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.jobs if self.jobs > 0 else max(1, cores + 1 + self.jobs)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one partition.

    Attributes:
        key: its key.
        result: what the function returned; None if it failed.
        problem: its state if it failed, without a fingerprint.
        traceback: of an unexpected exception; empty for an expected problem.
    """

    key: str
    result: R | None = None
    problem: PartitionState | None = None
    traceback: str = ""


def map_partitions(
    function: Callable[[str, Any], R], tasks: Mapping[str, Any], options: WorkerOptions, description: str
) -> Iterator[Outcome[R] | None]:
    """Apply a function to every partition, on all workers, and show the progress.

    Args:
        function: picklable; takes a key and its task. Whatever it raises becomes the problem of that partition, except
            for a full disk. A partition that ends its worker process is tried once more alone, then it is `crashed`.
        tasks: what the function takes, by key: paths and small tables, because it is sent to another process.
        options: where to run.
        description: label of the progress bar.

    Yields:
        An outcome per partition, as soon as it is known, in any order; None from time to time while there is none.

    Raises:
        OSError: if the disk is full.
    """
    if not tasks:
        return
    with _progress() as progress:
        bar = progress.add_task(description, total=len(tasks))
        for outcome in _outcomes(function, dict(tasks), options):
            if outcome is not None:
                progress.advance(bar)
            yield outcome


class InlineExecutor(Executor):
    """Runs each call at once in the calling thread, for debugging."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> "Future[R]":
        """Run a call."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor(options: WorkerOptions, function: Callable[..., Any]) -> Iterator[tuple[Executor, Any, int]]:
    """Open an executor, and share a function with its workers, because a model is too large to send with each call.

    Yields:
        The executor; a handle of the function to submit to `call_shared`; the number of workers.
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
                executor = _loky(options.workers)
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
    """A pickled function that every worker on this machine loads once."""

    path: str


_loaded: tuple[str, Any] = ("", None)


def call_shared(handle: Any, key: str, task: Any) -> Outcome[Any]:
    """Call a shared function in a worker; only a full disk is raised."""
    global _loaded  # noqa: PLW0603 - a worker keeps the function of the current node
    if isinstance(handle, SharedFile):
        if _loaded[0] != handle.path:
            _loaded = ("", None)  # frees the previous one first
            _loaded = (handle.path, cloudpickle.loads(Path(handle.path).read_bytes()))
        handle = _loaded[1]
    try:
        return Outcome(key, handle(key, task))
    except Exception as error:
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, f"{key}: {error}") from error  # alone: causes are lost between processes
        problem = expected_problem(error)
        if problem is not None:
            return Outcome(key, problem=problem)
        message = storable(f"{type(error).__name__}: {error}")
        state = PartitionState(status="failed", error=message, retry=True)
        return Outcome(key, problem=state, traceback=storable("".join(traceback.format_exception(error))))


def _outcomes(
    function: Callable[[str, Any], R], pending: dict[str, Any], options: WorkerOptions
) -> Iterator[Outcome[R] | None]:
    """Run all tasks; after a worker has died, those that were submitted are run one by one."""
    while pending:
        suspects: list[str] = []
        with open_executor(options, function) as (executor, handle, workers):
            for outcome in _run(executor, handle, workers, pending, suspects):
                if outcome is not None:
                    del pending[outcome.key]
                yield outcome
        for key in suspects:
            yield _run_alone(function, key, pending.pop(key), options)


def _run(
    executor: Executor, handle: Any, workers: int, pending: Mapping[str, Any], suspects: list[str]
) -> Iterator[Outcome[Any] | None]:
    """Submit tasks a few at a time and yield outcomes; if a worker dies, list the submitted tasks as suspects."""
    done: queue.SimpleQueue[tuple[str, Future[Outcome[Any]]]] = queue.SimpleQueue()
    waiting = iter(list(pending.items()))
    submitted: dict[str, Future[Outcome[Any]]] = {}
    try:
        while True:
            while len(submitted) < TASKS_PER_WORKER * workers and (task := next(waiting, None)):
                key = task[0]
                submitted[key] = future = executor.submit(call_shared, handle, *task)
                future.add_done_callback(lambda future, key=key: done.put((key, future)))  # type: ignore[misc]
            if not submitted:
                return
            try:
                key, future = done.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            try:
                outcome = future.result()
            except TaskCrashedError:
                outcome = Outcome(key, problem=CRASHED)
            except BrokenExecutor:
                suspects += submitted
                return
            del submitted[key]
            yield outcome
    finally:
        for future in submitted.values():
            future.cancel()


def _run_alone(function: Callable[[str, Any], R], key: str, task: Any, options: WorkerOptions) -> Outcome[R]:
    from loky import ProcessPoolExecutor

    with ProcessPoolExecutor(max_workers=1, env=dict(ONE_THREAD)) as executor:
        try:
            return executor.submit(_call_pickled, cloudpickle.dumps(function), key, task).result()
        except BrokenExecutor:
            return Outcome(key, problem=CRASHED)


def _call_pickled(function: bytes, key: str, task: Any) -> Outcome[Any]:
    return call_shared(cloudpickle.loads(function), key, task)


def _loky(workers: int) -> Any:
    from loky import get_reusable_executor

    return get_reusable_executor(max_workers=workers, timeout=IDLE_WORKER_TIMEOUT_S, env=dict(ONE_THREAD))


@contextmanager
def _dask(options: WorkerOptions, function: Callable[..., Any]) -> Iterator[tuple[Executor, Any, int]]:
    try:
        from video_recommender.incremental.dask_executor import open_dask_executor
    except ImportError as error:
        raise ValueError(
            f"The backend dask is missing ({error}): pip install 'video-recommender[cluster]', or choose another"
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
