"""A Dask cluster as an engine of joblib: one that is there already, or one of local processes for trying it."""

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, Final

import dask
from distributed import Client, KilledWorker, LocalCluster
from joblib._dask import DaskDistributedBackend

PATIENCE_S: Final = 60
"""How long to wait for the first worker: a cluster that grows when it is asked for has to start a machine."""

ANSWER_S: Final = 10
"""How long to wait for the scheduler."""

logger = logging.getLogger(__name__)
_clients: dict[str, Client] = {}


def connect(scheduler: str | None, jobs: int) -> Client:
    """Reach the cluster; the connection stays until the process ends, so that all stages use the same workers.

    Args:
        scheduler: its address, such as `tcp://10.0.0.1:8786`; None for the one that Dask itself is configured for
            (`DASK_SCHEDULER_ADDRESS`), or else for processes on this machine.
        jobs: how many processes to start on this machine, where there is no scheduler; -1 for one per core.

    Raises:
        ConnectionError: if nobody answers there.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # Dask speaks of every worker that comes or goes
    address = scheduler or dask.config.get("scheduler-address", None)
    key = address or f"local {jobs}"
    client = _clients.get(key)
    if client is None or client.status != "running":
        client = _clients[key] = Client(_local_cluster(jobs)) if address is None else _reach(address)
        logger.info("Dask's dashboard: %s", client.dashboard_link)
    return client


class SparingDaskBackend(DaskDistributedBackend):  # type: ignore[misc]  # joblib has no types
    """Joblib's own, but that it sends the function to each worker once, and that it knows of tasks that are given up.

    Dask gives a task up when it was at work in several workers that died; joblib would wait for it for ever.

    Args:
        client: the cluster.
        function: what all calls have as their first argument, such as a model with what to do with it.
        give_up: takes the arguments of a call that was given up; what it returns is taken for the call's result.
    """

    def __init__(self, client: Client, function: object, give_up: Callable[..., Any]) -> None:
        super().__init__(client=client, wait_for_workers_timeout=PATIENCE_S)
        # the result of a task, not scattered data, because Dask can make it anew when those who hold it have died
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "10 GB"}):
            self.data_futures = {id(function): client.submit(_itself, function, pure=False)}
        self._address = client.scheduler_info()["address"]
        self._give_up = give_up

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Count the workers, but never one: what is for one worker, joblib would do in this process."""
        try:
            return max(2, int(super().effective_n_jobs(n_jobs)))
        except TimeoutError as error:
            raise TimeoutError(
                f"The Dask scheduler at {self._address} has had no worker for {PATIENCE_S} s: "
                f"start some with `dask worker {self._address} --nthreads 1`"
            ) from error

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
        """Hand a batch of calls to the cluster."""
        future = super().submit(func, callback)
        future.add_done_callback(partial(self._tell_of_error, func.items, callback))
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Give the results of a batch, or raise what has kept it from being done."""
        if isinstance(out, CancelledError):
            raise ConnectionError(
                f"The Dask scheduler at {self._address} has lost the work ({out}): "
                "see that it runs, and run again; what was done is kept"
            ) from out
        if isinstance(out, ModuleNotFoundError):
            raise ValueError(  # noqa: TRY004 - a person can mend it
                f"A worker cannot do the work ({out}): install this project there, in the same version"
            ) from out
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)

    def _tell_of_error(self, calls: Any, callback: Callable[[Any], None], future: Any) -> None:
        error = future.exception()
        if isinstance(error, KilledWorker):
            callback([self._give_up(*arguments) for _, arguments, _ in calls])
        elif error is not None:
            callback(error)


def _itself(function: object) -> object:
    return function


def _local_cluster(jobs: int) -> LocalCluster:
    cores = dask.system.CPU_COUNT
    workers = jobs if jobs > 0 else max(1, cores + 1 + jobs)
    with dask.config.set({"distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "error"}):
        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:8787")


def _reach(address: str) -> Client:
    try:
        return Client(address, timeout=ANSWER_S)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"No Dask scheduler answers at {address}: start one with `dask scheduler`, or correct workers.scheduler"
        ) from error
