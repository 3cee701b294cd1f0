"""An executor for a Dask cluster: an existing one, or local processes for testing."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import dask
from distributed import Client, KilledWorker, LocalCluster
from tornado.ioloop import PeriodicCallback

from video_recommender.incremental.executors import TaskCrashedError

WORKER_TIMEOUT_S: Final = 60
"""Maximum wait for the first worker: a cluster that scales on demand must start a machine."""

CONNECT_TIMEOUT_S: Final = 10

RESTART_INTERVAL_S: Final = 5

logger = logging.getLogger(__name__)
_clients: dict[str, Client] = {}


@contextmanager
def open_dask_executor(
    scheduler: str | None, workers: int, function: Callable[..., Any]
) -> Iterator[tuple[Executor, Any, int]]:
    """Connect to a cluster and share a function with its workers.

    Args:
        scheduler: address, such as `tcp://10.0.0.1:8786`; None for the scheduler of Dask's configuration
            (`DASK_SCHEDULER_ADDRESS`), or for processes on this machine if it has none.
        workers: number of processes to start on this machine if there is no scheduler.
        function: the function that all calls use.

    Yields:
        The executor, a handle of the function, and the number of worker threads, at least 2.

    Raises:
        ConnectionError: if the scheduler does not answer.
        TimeoutError: if the cluster has no worker.
    """
    client = connect(scheduler, workers)
    address = client.scheduler_info()["address"]
    try:
        client.wait_for_workers(1, timeout=WORKER_TIMEOUT_S)
    except TimeoutError as error:
        raise TimeoutError(
            f"The Dask scheduler at {address} has had no worker for {WORKER_TIMEOUT_S} s: "
            f"start workers with `dask worker {address} --nthreads 1`"
        ) from error
    # A task's result instead of scattered data: Dask can recompute it if the workers that hold it die
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "10 GB"}):
        shared = client.submit(_identity, function, pure=False)
    slots = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    yield _DaskExecutor(client, address), shared, max(2, slots)


def connect(scheduler: str | None, workers: int) -> Client:
    """Connect to a cluster; the connection stays open until the process ends, so that all nodes use the same workers.

    Raises:
        ConnectionError: if the scheduler does not answer.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # it logs each worker that connects or disconnects
    address = scheduler or dask.config.get("scheduler-address", None)
    key = address or f"local {workers}"
    client = _clients.get(key)
    if client is None or client.status != "running":
        client = _clients[key] = Client(_local_cluster(workers)) if address is None else _connect(address)
        logger.info("Dask's dashboard: %s", client.dashboard_link)
    return client


class _DaskExecutor(Executor):
    """Wraps Dask's futures as `concurrent.futures.Future`, with error messages that say what to do."""

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Submit a call to the cluster."""
        future: Future[Any] = Future()
        task = self._client.submit(fn, *args, pure=False, **kwargs)

        def finish(done: Any) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                error = done.exception() if done.status != "cancelled" else CancelledError(done.key)
                result = done.result() if error is None else None
            except Exception as lost:  # noqa: BLE001 - `result()` raises it; without this, the run would never end
                error = lost
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(self._explain(error))

        task.add_done_callback(finish)
        future.add_done_callback(lambda done: task.cancel() if done.cancelled() else None)
        return future

    def _explain(self, error: BaseException) -> BaseException:
        if isinstance(error, KilledWorker):
            return TaskCrashedError(str(error))
        if isinstance(error, CancelledError):
            return ConnectionError(
                f"The Dask scheduler at {self._address} lost a task ({error}): "
                "check that the scheduler is running, then run again; completed work is kept"
            )
        if isinstance(error, ModuleNotFoundError):
            return ValueError(f"A worker cannot run a task ({error}): install the same version of this project on it")
        return error


def _identity(function: object) -> object:
    return function


def _local_cluster(workers: int) -> LocalCluster:
    with dask.config.set({"distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "error"}):
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:8787")
    restart = PeriodicCallback(partial(cluster.scale, workers), RESTART_INTERVAL_S * 1000)
    # Dask does not restart a worker that dies while it is starting
    cluster.loop.add_callback(restart.start)  # type: ignore[union-attr]
    return cluster


def _connect(address: str) -> Client:
    try:
        return Client(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"The Dask scheduler at {address} does not answer: run `dask scheduler`, or correct workers.scheduler"
        ) from error
