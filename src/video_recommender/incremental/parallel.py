"""The one place that knows about workers: a map over videos in which no video can stop the others."""

import errno
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

import joblib
from joblib.externals.loky import ProcessPoolExecutor
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from video_recommender.media.video import VideoError
from video_recommender.storage.paths import is_disk_full

T = TypeVar("T")
R = TypeVar("R")

RESULTS_IN_MEMORY: Final = 128
"""How many results may wait to be taken: joblib alone would pile up all of them when saving is slower than the work."""

IDLE_WORKER_TIMEOUT_S: Final = 5
"""Workers of an earlier stage hold up to 0.4 GB each. Idle for so long, as while a network is compiled, they end; a
stage that follows at once still finds them ready."""

CRASHED: Final = "crashed"


def _some(jobs: int) -> int:
    if jobs == 0:
        raise ValueError("Nobody would work: give at least 1, or -1 for as many as there are cores")
    return jobs


class WorkerOptions(BaseModel):
    """Who does the work on each video (parameters.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: Literal["loky", "threading", "sequential", "dask"] = "loky"
    jobs: Annotated[int, AfterValidator(_some)] = -1
    scheduler: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.scheduler is not None and self.backend != "dask":
            raise ValueError(f"The backend {self.backend} has no scheduler: choose workers.backend=dask")
        return self


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one video.

    Attributes:
        video_id: which video.
        result: what the function returned; None if it failed.
        status: `ok`, or what is wrong in one word.
        error: what is wrong in a sentence; empty when all is well.
    """

    video_id: str
    result: R | None = None
    status: str = "ok"
    error: str = ""


def map_videos(
    function: Callable[[T], R], tasks: Mapping[str, T], workers: WorkerOptions, description: str
) -> Iterator[Outcome[R]]:
    """Apply a function to every video, on all workers, and show how far it has come.

    Args:
        function: picklable; whatever it raises becomes that video's status and error, but for a full disk. A video
            that ends its worker process (a crash in a decoder, no memory left) gets the status `crashed`.
        tasks: what to hand to the function, by `video_id`: paths and small tables, never pictures.
        workers: see `WorkerOptions`.
        description: what the progress bar says.

    Yields:
        An outcome per video, as soon as it is known, in any order.

    Raises:
        OSError: if the disk is full: no other video would fare better.
    """
    if not tasks:
        return
    with _engine(function, workers), _progress() as progress:
        yield from progress.track(_outcomes(function, tasks), total=len(tasks), description=description)


def call_apart(function: Callable[..., R], *arguments: object) -> R:
    """Call a function in a process of its own, with which goes what it has imported: TensorFlow keeps a gigabyte.

    Args:
        function: picklable, as are its arguments and its result; what it raises is raised here.
        arguments: what to call it with.
    """
    with ProcessPoolExecutor(max_workers=1) as executor:
        result: R = executor.submit(function, *arguments).result()
    return result


def _engine(function: Callable[[T], R], workers: WorkerOptions) -> joblib.parallel_config:
    if workers.backend == "loky":
        return joblib.parallel_config(
            "loky", n_jobs=workers.jobs, inner_max_num_threads=1, idle_worker_timeout=IDLE_WORKER_TIMEOUT_S
        )
    if workers.backend != "dask":
        return joblib.parallel_config(workers.backend, n_jobs=workers.jobs)
    try:
        from video_recommender.incremental.dask_cluster import SparingDaskBackend, connect
    except ImportError as error:
        raise ValueError(
            f"The backend dask is missing ({error}): pip install 'video-recommender[cluster]', or choose another"
        ) from error
    return joblib.parallel_config(SparingDaskBackend(connect(workers.scheduler, workers.jobs), function, _crashed))


def _outcomes(function: Callable[[T], R], tasks: Mapping[str, T]) -> Iterator[Outcome[R]]:
    pending = dict(tasks)
    limit = max(RESULTS_IN_MEMORY, 4 * joblib.effective_n_jobs())
    while pending:
        begun: set[str] = set()
        suspects: set[str] = set()
        try:
            for outcome in joblib.Parallel(return_as="generator_unordered")(_calls(function, pending, begun, limit)):
                begun.discard(outcome.video_id)
                if outcome.status == CRASHED:
                    suspects.add(outcome.video_id)
                else:
                    del pending[outcome.video_id]
                    yield outcome
        except BrokenExecutor:
            suspects |= begun
        for video_id in sorted(suspects):
            yield _alone(function, video_id, pending.pop(video_id))


def _calls(
    function: Callable[[T], R], pending: dict[str, T], begun: set[str], limit: int
) -> Iterator[tuple[Callable[..., Outcome[R]], tuple[object, ...], dict[str, object]]]:
    """Hand out calls as workers ask for them, until too many outcomes wait to be taken: then the round ends."""
    for video_id, task in tuple(pending.items()):
        if len(begun) >= limit:
            return
        begun.add(video_id)
        yield joblib.delayed(_guarded)(function, video_id, task)


def _alone(function: Callable[[T], R], video_id: str, task: T) -> Outcome[R]:
    """Try again, in a worker of its own, a video that was at work when a worker died."""
    try:
        # two jobs, because joblib would do one alone in this process
        outcomes: list[Outcome[R]] = joblib.Parallel(n_jobs=2)([joblib.delayed(_guarded)(function, video_id, task)])
    except BrokenExecutor:
        return _crashed(function, video_id, task)
    return outcomes[0]


def _crashed(_function: object, video_id: str, _task: object) -> Outcome[Any]:
    return Outcome(video_id, status=CRASHED, error="Its worker process died: the file may be broken, or too large")


def _guarded(function: Callable[[T], R], video_id: str, task: T) -> Outcome[R]:
    try:
        return Outcome(video_id, function(task))
    except VideoError as error:
        return Outcome(video_id, status=error.status, error=_storable(error.message))
    except Exception as error:
        if is_disk_full(error):
            raise OSError(
                errno.ENOSPC, f"{video_id}: {error}"
            ) from error  # alone, for causes are lost between processes
        # one bad video never stops a run; the manifest row tells what it was
        return Outcome(video_id, status="failed", error=_storable(f"{type(error).__name__}: {error}"))


def _storable(message: str) -> str:
    """A file name that is not Unicode cannot be written into a table."""
    return message.encode(errors="replace").decode()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
    )
