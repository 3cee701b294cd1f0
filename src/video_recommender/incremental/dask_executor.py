"""A Dask cluster as an executor: an existing one, or local processes to try it."""

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
"""How long to wait for the first worker: a cluster that scales on demand has to start a machine."""

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
        scheduler: its address, such as `tcp://10.0.0.1:8786`; None for the one that Dask is configured for
            (`DASK_SCHEDULER_ADDRESS`), or else for processes on this machine.
        workers: processes to start on this machine if there is no scheduler.
        function: what all calls have in common.

    Yields:
        The executor, a handle of the function, and the number of workers.

    Raises:
        ConnectionError: if no scheduler answers.
        TimeoutError: if the cluster has no worker.
    """
    client = connect(scheduler, workers)
    address = client.scheduler_info()["address"]
    try:
        client.wait_for_workers(1, timeout=WORKER_TIMEOUT_S)
    except TimeoutError as error:
        raise TimeoutError(
            f"The Dask scheduler at {address} has had no worker for {WORKER_TIMEOUT_S} s: "
            f"start some with `dask worker {address} --nthreads 1`"
        ) from error
    # the result of a task, not scattered data: Dask can compute it again if the workers that hold it die
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "10 GB"}):
        shared = client.submit(_identity, function, pure=False)
    slots = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    yield _DaskExecutor(client, address), shared, max(2, slots)


def connect(scheduler: str | None, workers: int) -> Client:
    """Connect to a cluster; the connection stays open for the whole process, so that all nodes use the same workers.

    Raises:
        ConnectionError: if no scheduler answers.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # it reports every worker that comes or goes
    address = scheduler or dask.config.get("scheduler-address", None)
    key = address or f"local {workers}"
    client = _clients.get(key)
    if client is None or client.status != "running":
        client = _clients[key] = Client(_local_cluster(workers)) if address is None else _connect(address)
        logger.info("Dask's dashboard: %s", client.dashboard_link)
    return client


class _DaskExecutor(Executor):
    """Dask's futures as those of the standard library, with exceptions that say what to do."""

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
            except Exception as lost:  # noqa: BLE001 - `result()` raises it; the run would wait for ever otherwise
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
                f"The Dask scheduler at {self._address} has lost the work ({error}): "
                "check that it runs, and run again; finished work is kept"
            )
        if isinstance(error, ModuleNotFoundError):
            return ValueError(f"A worker cannot do the work ({error}): install this project there, in the same version")
        return error


def _identity(function: object) -> object:
    return function


def _local_cluster(workers: int) -> LocalCluster:
    with dask.config.set({"distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "error"}):
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:8787")
    restart = PeriodicCallback(partial(cluster.scale, workers), RESTART_INTERVAL_S * 1000)
    # Dask restarts no worker that dies while it is starting, as a partition may make it do
    cluster.loop.add_callback(restart.start)  # type: ignore[union-attr]
    return cluster


def _connect(address: str) -> Client:
    try:
        return Client(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"No Dask scheduler answers at {address}: start one with `dask scheduler`, or correct workers.scheduler"
        ) from error
