"""A Kedro runner that runs only what is stale, and per-partition nodes on all workers."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kedro.io import CatalogProtocol, SharedMemoryCatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from video_recommender.incremental.executors import Outcome, WorkerOptions, map_partitions
from video_recommender.incremental.partitioned_dataset import StatefulPartitionedDataset
from video_recommender.incremental.partition_store import PartitionStore
from video_recommender.incremental.partitions import Partitions, PartitionState
from video_recommender.incremental.per_partition import PartitionCall, known_properties
from video_recommender.incremental.staleness import CatalogDigests, NodeLedger, function_digest, value_digest
from video_recommender.incremental.stages import by_stage, stage_of
from video_recommender.storage.digests import fingerprint

LEDGER: Final = "node_ledger"
"""The dataset that keeps what each node was made from; without it every table is computed again."""

WORKERS: Final = "params:workers"

ALWAYS_RUN: Final = "always_run"
"""Tag of a node that looks at something outside of the catalog."""

COMMIT_INTERVAL_S: Final = 1.0
"""Finished partitions are committed after this time: a killed run loses no more than these."""

FAILED_SHARE: Final = 0.01
FAILED_COUNT: Final = 3
"""A run ends with an error if at least so many partitions of a node, and more than this share, hit a bug."""


logger = logging.getLogger(__name__)


class UnexpectedFailuresError(RuntimeError):
    """Many partitions of a node hit unexpected exceptions, which is a bug or a broken installation."""


class IncrementalRunner(SequentialRunner):
    """Runs the nodes whose outputs are stale, and of per-partition nodes the stale partitions.

    An output is stale if the digest of an input, of a parameter, of the code or of a named library has changed since it
    was made (see `staleness`). So a stopped run continues where it was, and equal results stop the propagation. Where
    per-partition nodes run is read from the parameter group `workers` (`WorkerOptions`).
    """

    def __str__(self) -> str:
        """Name the base class, too: kedro-viz records only runs of a runner whose name contains it."""
        return f"<{type(self).__name__}, a kedro.runner.sequential_runner.SequentialRunner object>"

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any] | SharedMemoryCatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        digests = CatalogDigests(catalog)
        keeps_ledger = LEDGER in catalog
        ledger = NodeLedger(catalog.load(LEDGER) if keeps_ledger and catalog[LEDGER].exists() else {}, digests)
        hooks = _Hooks(hook_manager, catalog, run_id)
        for node in by_stage(pipeline):
            title = f"{stage_of(node).replace('_', ' '):<20} {node.short_name.replace('_', ' ')}"
            if hasattr(node.func, "per_partition"):
                _PartitionRun(node, catalog, digests, hooks).execute(title)
            elif hasattr(node.func, "accumulates"):
                _log(title)
                _accumulate(node, catalog, hooks)
                digests.forget(node.outputs)
            elif ALWAYS_RUN not in node.tags and ledger.is_up_to_date(node):
                _log(f"{title}: up to date")
                hooks.skip(node)
            else:
                _log(title)
                digests.forget(node.outputs)
                Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                ledger.record(node)
                if keeps_ledger:
                    catalog.save(LEDGER, ledger.entries)


@dataclass(frozen=True)
class _Hooks:
    """Calls the hooks that Kedro calls when it runs a node."""

    manager: Any
    catalog: Any
    run_id: str | None

    def skip(self, node: Node) -> None:
        """Report a node that is up to date as finished, so that kedro-viz shows its status; it has not started."""
        self.manager.hook.after_node_run(
            node=node, catalog=self.catalog, inputs={}, outputs={}, is_async=False, run_id=self.run_id
        )

    def load(self, node: Node, name: str) -> Any:
        """Load a dataset."""
        self.manager.hook.before_dataset_loaded(dataset_name=name, node=node)
        data = self.catalog.load(name)
        self.manager.hook.after_dataset_loaded(dataset_name=name, data=data, node=node)
        return data

    def start(self, node: Node, inputs: dict[str, Any]) -> None:
        """Report that a node starts."""
        self.manager.hook.before_node_run(
            node=node, catalog=self.catalog, inputs=inputs, is_async=False, run_id=self.run_id
        )

    def fail(self, node: Node, inputs: dict[str, Any], error: Exception) -> None:
        """Report that a node has failed."""
        self.manager.hook.on_node_error(
            error=error, node=node, catalog=self.catalog, inputs=inputs, is_async=False, run_id=self.run_id
        )

    def finish(self, node: Node, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Report that a node has finished and what it has saved."""
        for name, data in outputs.items():
            self.manager.hook.before_dataset_saved(dataset_name=name, data=data, node=node)
            self.manager.hook.after_dataset_saved(dataset_name=name, data=data, node=node)
        self.manager.hook.after_node_run(
            node=node, catalog=self.catalog, inputs=inputs, outputs=outputs, is_async=False, run_id=self.run_id
        )


class _PartitionRun:
    """One run of a per-partition node."""

    def __init__(
        self, node: Node, catalog: CatalogProtocol[Any, Any], digests: CatalogDigests, hooks: _Hooks
    ) -> None:
        self.node = node
        self.catalog = catalog
        self.digests = digests
        self.hooks = hooks
        self.mapped, *self.broadcast = node.inputs
        self.datasets = [_partitioned(catalog, name) for name in node.outputs]

    def execute(self, title: str) -> None:
        """Delete partitions whose input is gone and process the stale ones.

        Raises:
            UnexpectedFailuresError: if many partitions hit a bug; all others are saved before.
        """
        partitions: Mapping[str, Any] = self.hooks.load(self.node, self.mapped)
        fingerprints = self._fingerprints(partitions)
        states = [dataset.load().states for dataset in self.datasets]
        stale = [key for key, value in fingerprints.items() if any(_is_stale(known.get(key), value) for known in states)]
        gone = sorted(set().union(*states) - fingerprints.keys())
        if not stale and not gone:
            _log(f"{title}: up to date")
            self.hooks.skip(self.node)
            return
        _log(title)
        self.digests.forget(self.node.outputs)
        inputs = {self.mapped: partitions, **{name: self.hooks.load(self.node, name) for name in self.broadcast}}
        self.hooks.start(self.node, inputs)
        try:
            failures = self._process(partitions, {key: fingerprints[key] for key in stale}, gone, inputs)
            _raise_if_many(failures, len(fingerprints), title)
        except Exception as error:
            self.hooks.fail(self.node, inputs, error)
            raise
        self.hooks.finish(self.node, inputs, {name: self.catalog.load(name) for name in self.node.outputs})

    def _fingerprints(self, partitions: Mapping[str, Any]) -> dict[str, str]:
        func = self.node.func.per_partition  # type: ignore[attr-defined]
        common = fingerprint(function_digest(func), list(self.digests.of(self.broadcast).values()), self.node.outputs)
        if isinstance(partitions, Partitions):
            return {key: fingerprint(common, partitions.states[key].digest) for key in partitions}
        return {key: fingerprint(common, value_digest(value)) for key, value in partitions.items()}

    def _process(
        self, partitions: Mapping[str, Any], stale: Mapping[str, str], gone: Sequence[str], inputs: Mapping[str, Any]
    ) -> list[Outcome[Any]]:
        refused: dict[str, PartitionState] = {}
        for dataset in self.datasets:
            refused |= dataset.begin(stale, gone)
        broadcast = tuple(inputs[name] for name in self.broadcast)
        options = self._workers(broadcast)
        work = _ComputeAndSave(
            PartitionCall(self.node.func.per_partition, broadcast, len(self.datasets)),  # type: ignore[attr-defined]
            tuple(dataset.store for dataset in self.datasets),
            isinstance(partitions, Partitions),
        )
        tasks = {key: partitions[key] for key in stale if key not in refused}
        rows = {key: PartitionState(stale[key], properties=known_properties(partitions, key)) for key in stale}
        commits = _Commits(self.datasets, rows, 0 if options.backend == "sequential" else COMMIT_INTERVAL_S)
        failures: list[Outcome[Any]] = []
        try:
            commits.add({key: (state,) * len(self.datasets) for key, state in refused.items()})
            for outcome in map_partitions(work, tasks, options, _label(self.node)):
                if outcome is not None:
                    commits.add({outcome.key: outcome.result or (outcome.problem,) * len(self.datasets)})
                    if outcome.traceback:
                        failures.append(outcome)
                commits.flush_if_due()
        finally:
            commits.flush()
        for dataset in self.datasets:
            dataset.finish()
        return failures

    def _workers(self, broadcast: Sequence[Any]) -> WorkerOptions:
        given = self.catalog.load(WORKERS) if WORKERS in self.catalog else {}
        options = given if isinstance(given, WorkerOptions) else WorkerOptions.model_validate(given)
        if options.backend != "sequential" and any(getattr(value, "stays_in_process", False) for value in broadcast):
            return WorkerOptions(backend="threading", jobs=options.jobs)
        return options


@dataclass(frozen=True)
class _ComputeAndSave:
    """What a worker does with one partition: large results go from there to where they are stored."""

    call: PartitionCall
    stores: tuple[PartitionStore, ...]
    is_lazy: bool

    def __call__(self, key: str, task: Any) -> tuple[PartitionState, ...]:
        values, properties = self.call(task() if self.is_lazy else task)
        return tuple(
            PartitionState(digest=store.save(key, value), properties=properties)
            for store, value in zip(self.stores, values, strict=True)
        )


class _Commits:
    """Collects the states of finished partitions and commits them from time to time."""

    def __init__(
        self, datasets: Sequence[StatefulPartitionedDataset], known: Mapping[str, PartitionState], interval_s: float
    ) -> None:
        self._datasets = datasets
        self._known = known
        self._interval_s = interval_s
        self._rows: dict[str, tuple[PartitionState, ...]] = {}
        self._last = time.monotonic()

    def add(self, rows: Mapping[str, tuple[PartitionState, ...]]) -> None:
        self._rows |= rows

    def flush_if_due(self) -> None:
        if time.monotonic() - self._last >= self._interval_s:
            self.flush()

    def flush(self) -> None:
        rows, self._rows = self._rows, {}
        for number, dataset in enumerate(self._datasets):
            dataset.commit({key: self._complete(key, row[number]) for key, row in rows.items()})
        self._last = time.monotonic()


    def _complete(self, key: str, state: PartitionState) -> PartitionState:
        known = self._known[key]
        return state._replace(fingerprint=known.fingerprint, properties={**known.properties, **state.properties})


def _accumulate(node: Node, catalog: CatalogProtocol[Any, Any], hooks: _Hooks) -> None:
    (name,) = node.outputs
    dataset = _partitioned(catalog, name)
    inputs = {name: hooks.load(node, name) for name in node.inputs}
    hooks.start(node, inputs)
    has_changed = False
    try:
        for update in node.func.accumulates(dataset.load().states, *inputs.values()):  # type: ignore[attr-defined]
            dataset.save(update)
            has_changed = has_changed or bool(update)
    except Exception as error:
        hooks.fail(node, inputs, error)
        raise
    dataset.finish()
    hooks.finish(node, inputs, {name: catalog.load(name)} if has_changed else {})


def _partitioned(catalog: CatalogProtocol[Any, Any], name: str) -> StatefulPartitionedDataset:
    dataset = catalog[name]
    if not isinstance(dataset, StatefulPartitionedDataset):
        raise ValueError(
            f"{name} is a {type(dataset).__name__}, but a per-partition node writes it: "
            "make it a StatefulPartitionedDataset in the catalog"
        )
    return dataset


def _is_stale(state: PartitionState | None, fingerprint: str) -> bool:
    return state is None or state.fingerprint != fingerprint or state.retry


def _label(node: Node) -> str:
    words = node.short_name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _raise_if_many(failures: Sequence[Outcome[Any]], partitions: int, title: str) -> None:
    """Log the traceback of each kind of bug once, and stop the run if there are many."""
    kinds: dict[tuple[str, ...], list[Outcome[Any]]] = {}
    for failure in failures:
        kinds.setdefault(_kind(failure.traceback), []).append(failure)
    for same in kinds.values():
        first = same[0]
        logger.error(
            "%s failed unexpectedly%s; this is a bug, or a broken installation:\n%s",
            first.key,
            f" (and {len(same) - 1} others in the same way)" if len(same) > 1 else "",
            first.traceback,
            extra={"markup": False},
        )
    if len(failures) >= FAILED_COUNT and len(failures) > FAILED_SHARE * partitions:
        names = ", ".join(failure.key for failure in failures[:FAILED_COUNT])
        raise UnexpectedFailuresError(
            f"{' '.join(title.split())}: {len(failures)} of {partitions} partitions failed unexpectedly, "
            f"among them {names}: see the traceback above. All others are saved"
        )


def _kind(text: str) -> tuple[str, ...]:
    """Return the type of an exception and the line that raised it, which all failures of one kind share."""
    lines = text.strip().splitlines()
    places = [line.strip() for line in lines if line.lstrip().startswith("File ")]
    return lines[-1].partition(":")[0], places[-1] if places else ""


def _log(message: str) -> None:
    logger.info(message, extra={"markup": False})
