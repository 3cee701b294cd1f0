"""Runs a per-partition node: workers compute the stale partitions, and states are committed periodically."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from video_recommender.incremental.executors import Outcome, WorkerOptions, map_partitions
from video_recommender.incremental.partition_store import PartitionStore
from video_recommender.incremental.partitioned_dataset import StatefulPartitionedDataset
from video_recommender.incremental.per_partition import PartitionCall, known_properties
from video_recommender.incremental.staleness import CatalogDigests
from video_recommender.storage.digests import fingerprint, value_digest
from video_recommender.storage.partitions import Partitions, PartitionState

WORKERS: Final = "params:workers"

COMMIT_INTERVAL_S: Final = 1.0
"""Interval between commits: a killed run loses only the partitions that finished since the last one."""

PARTITIONS_PER_BATCH: Final = 100
"""Partitions that are marked as unfinished at a time, before they are processed; all others keep their values."""

FAILED_SHARE: Final = 0.01

FAILED_COUNT: Final = 3
"""A run ends with an error if at least this number of partitions of a node, and more than this share, failed."""

logger = logging.getLogger(__name__)


class UnexpectedFailuresError(RuntimeError):
    """Many partitions of a node raised unexpected exceptions: a bug or a broken installation."""


class NodeHooks:
    """Calls the Kedro hooks of a node."""

    def __init__(self, manager: Any, catalog: Any, run_id: str | None) -> None:
        self._hook = manager.hook
        self._catalog = catalog
        self._common = {"catalog": catalog, "is_async": False, "run_id": run_id}

    def skip(self, node: Node) -> None:
        """Report a skipped node as finished, so that kedro-viz shows its status."""
        self._hook.after_node_run(node=node, inputs={}, outputs={}, **self._common)

    def load(self, node: Node, name: str) -> Any:
        """Load a dataset."""
        self._hook.before_dataset_loaded(dataset_name=name, node=node)
        data = self._catalog.load(name)
        self._hook.after_dataset_loaded(dataset_name=name, data=data, node=node)
        return data

    def start(self, node: Node, inputs: dict[str, Any]) -> None:
        """Report that a node starts."""
        self._hook.before_node_run(node=node, inputs=inputs, **self._common)

    def fail(self, node: Node, inputs: dict[str, Any], error: Exception) -> None:
        """Report that a node has failed."""
        self._hook.on_node_error(error=error, node=node, inputs=inputs, **self._common)

    def finish(self, node: Node, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Report that a node has finished, with its outputs."""
        for name, data in outputs.items():
            self._hook.before_dataset_saved(dataset_name=name, data=data, node=node)
            self._hook.after_dataset_saved(dataset_name=name, data=data, node=node)
        self._hook.after_node_run(node=node, inputs=inputs, outputs=outputs, **self._common)


class PartitionRun:
    """One run of a per-partition node."""

    def __init__(
        self, node: Node, catalog: CatalogProtocol[Any, Any], digests: CatalogDigests, hooks: NodeHooks
    ) -> None:
        self.node = node
        self.catalog = catalog
        self.digests = digests
        self.hooks = hooks
        self.mapped, *self.broadcast = node.inputs
        self.datasets = [_partitioned(catalog, name) for name in node.outputs]
        self._loaded: dict[str, Any] = {}

    def execute(self, title: str) -> None:
        """Process the stale partitions, and delete partitions that are no longer in the input.

        Raises:
            UnexpectedFailuresError: if many partitions raise unexpected exceptions. All others are saved first.
        """
        partitions: Mapping[str, Any] = self._load(self.mapped)
        fingerprints = self._fingerprints(partitions)
        states = [dataset.load().states for dataset in self.datasets]
        stale = [
            key for key, value in fingerprints.items() if any(_is_stale(known.get(key), value) for known in states)
        ]
        gone = sorted(set().union(*states) - fingerprints.keys())
        if not stale and not gone:
            log_node(f"{title}: up to date")
            self.hooks.skip(self.node)
            return
        log_node(title)
        self.digests.forget(self.node.outputs)
        inputs = {name: self._load(name) for name in self.node.inputs}
        self.hooks.start(self.node, inputs)
        failures = _Failures(title, len(fingerprints))
        try:
            self._process(partitions, {key: fingerprints[key] for key in stale}, gone, failures)
            failures.raise_if_many()
        except Exception as error:
            self.hooks.fail(self.node, inputs, error)
            raise
        self.hooks.finish(self.node, inputs, {name: self.catalog.load(name) for name in self.node.outputs})

    def _load(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self.hooks.load(self.node, name)
        return self._loaded[name]

    def _fingerprints(self, partitions: Mapping[str, Any]) -> dict[str, str]:
        function = self.digests.of_function(digested_function(self.node))
        digests = self.digests.of(self.broadcast)
        broadcast = [digests[name] or self._digest_in_memory(name) for name in self.broadcast]
        common = fingerprint(function, broadcast, self.node.outputs)
        if isinstance(partitions, Partitions):
            return {key: fingerprint(common, partitions.states[key].digest) for key in partitions}
        if not isinstance(partitions, Mapping):
            raise TypeError(
                f"{self.mapped} is a {type(partitions).__name__}, but {self.node.short_name} maps over it: "
                "use a StatefulPartitionedDataset or a mapping"
            )
        return {key: fingerprint(common, value_digest(value)) for key, value in partitions.items()}

    def _digest_in_memory(self, name: str) -> str:
        """Compute the digest of an input that is only in memory."""
        try:
            return value_digest(self._load(name))
        except TypeError as error:
            logger.warning("%s processes every partition in each run: %s: %s", self.node.short_name, name, error)
            return uuid4().hex

    def _process(
        self, partitions: Mapping[str, Any], stale: Mapping[str, str], gone: Sequence[str], failures: "_Failures"
    ) -> None:
        rows = {key: PartitionState(stale[key], properties=known_properties(partitions, key)) for key in stale}
        for dataset in self.datasets:
            dataset.compact()
            dataset.delete(gone)
        conflicts = self._record_conflicts(rows)
        broadcast = tuple(self._load(name) for name in self.broadcast)
        options = self._workers(broadcast)
        work = _ComputeAndSave(
            PartitionCall(self.node.func.per_partition, broadcast, len(self.datasets)),  # type: ignore[attr-defined]
            tuple(dataset.store for dataset in self.datasets),
            isinstance(partitions, Partitions),
        )
        keys = [key for key in stale if key not in conflicts]
        tasks = self._tasks(partitions, keys)
        commits = _Commits(self.datasets, rows, 0 if options.backend == "sequential" else COMMIT_INTERVAL_S)
        try:
            for outcome in map_partitions(work, tasks, len(keys), options, _label(self.node)):
                if outcome is not None:
                    commits.add(outcome)
                    failures.add(outcome)
                commits.flush_if_due()
        finally:
            commits.flush()
        for dataset in self.datasets:
            dataset.compact()

    def _record_conflicts(self, rows: Mapping[str, PartitionState]) -> set[str]:
        """Find partitions that at least one dataset cannot save, store their states, and return their keys."""
        by_dataset = [dataset.find_conflicts(rows) for dataset in self.datasets]
        conflicts = {key: state for found in by_dataset for key, state in found.items()}
        for dataset, own in zip(self.datasets, by_dataset, strict=True):
            dataset.delete(conflicts.keys() - own.keys())
            dataset.commit({key: _complete(state, rows[key]) for key, state in conflicts.items()})
        return set(conflicts)

    def _tasks(self, partitions: Mapping[str, Any], keys: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Yield the tasks; mark each partition as unfinished before its task is yielded."""
        for start in range(0, len(keys), PARTITIONS_PER_BATCH):
            batch = keys[start : start + PARTITIONS_PER_BATCH]
            for dataset in self.datasets:
                dataset.begin(batch)
            for key in batch:
                yield key, partitions[key]

    def _workers(self, broadcast: Sequence[Any]) -> WorkerOptions:
        given = self.catalog.load(WORKERS) if WORKERS in self.catalog else {}
        options = given if isinstance(given, WorkerOptions) else WorkerOptions.model_validate(given)
        if options.backend != "sequential" and any(getattr(value, "stays_in_process", False) for value in broadcast):
            return WorkerOptions(backend="threading", jobs=options.jobs)
        return options


@dataclass(frozen=True)
class _ComputeAndSave:
    """Computes and saves one partition in a worker, so that large values are not sent to the parent process."""

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
    """Collects the states of finished partitions and commits them periodically."""

    def __init__(
        self, datasets: Sequence[StatefulPartitionedDataset], known: Mapping[str, PartitionState], interval_s: float
    ) -> None:
        self._datasets = datasets
        self._known = known
        self._interval_s = interval_s
        self._rows: dict[str, tuple[PartitionState, ...]] = {}
        self._last = time.monotonic()

    def add(self, outcome: Outcome[tuple[PartitionState, ...]]) -> None:
        if outcome.problem is not None:
            self._rows[outcome.key] = (outcome.problem,) * len(self._datasets)
        elif outcome.result is not None:
            self._rows[outcome.key] = outcome.result

    def flush_if_due(self) -> None:
        if time.monotonic() - self._last >= self._interval_s:
            self.flush()

    def flush(self) -> None:
        rows, self._rows = self._rows, {}
        for number, dataset in enumerate(self._datasets):
            dataset.commit({key: _complete(row[number], self._known[key]) for key, row in rows.items()})
        self._last = time.monotonic()


class _Failures:
    """The partitions of a node that raised unexpected exceptions; logs the first traceback of each kind."""

    def __init__(self, title: str, partitions: int) -> None:
        self._title = " ".join(title.split())
        self._partitions = partitions
        self._keys: dict[tuple[str, ...], list[str]] = {}

    def add(self, outcome: Outcome[Any]) -> None:
        if not outcome.traceback:
            return
        kind = _kind(outcome.traceback)
        if kind not in self._keys:
            logger.error(
                "%s failed unexpectedly, because of a bug or a broken installation:\n%s",
                outcome.key,
                outcome.traceback,
                extra={"markup": False},
            )
        self._keys.setdefault(kind, []).append(outcome.key)

    def raise_if_many(self) -> None:
        keys = [key for same in self._keys.values() for key in same]
        for same in self._keys.values():
            if len(same) > 1:
                logger.error("%d more failed in the same way as %s", len(same) - 1, same[0], extra={"markup": False})
        if len(keys) >= FAILED_COUNT and len(keys) > FAILED_SHARE * self._partitions:
            raise UnexpectedFailuresError(
                f"{self._title}: {len(keys)} of {self._partitions} partitions failed unexpectedly, "
                f"including {', '.join(keys[:FAILED_COUNT])}: see the traceback above. All others are saved"
            )


def run_accumulating_node(node: Node, catalog: CatalogProtocol[Any, Any], hooks: NodeHooks) -> None:
    """Run a node that adds partitions to its output."""
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
    dataset.compact()
    hooks.finish(node, inputs, {name: catalog.load(name)} if has_changed else {})


def _partitioned(catalog: CatalogProtocol[Any, Any], name: str) -> StatefulPartitionedDataset:
    dataset = catalog[name]
    if not isinstance(dataset, StatefulPartitionedDataset):
        raise TypeError(
            f"{name} is a {type(dataset).__name__}, but a per-partition node writes it: "
            "use a StatefulPartitionedDataset in the catalog"
        )
    return dataset


def _is_stale(state: PartitionState | None, fingerprint: str) -> bool:
    return state is None or state.fingerprint != fingerprint or state.retry


def _complete(state: PartitionState, known: PartitionState) -> PartitionState:
    """Add the fingerprint and the properties that were known before the partition was processed."""
    return state._replace(fingerprint=known.fingerprint, properties={**known.properties, **state.properties})


def _label(node: Node) -> str:
    words = node.short_name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _kind(text: str) -> tuple[str, ...]:
    """Return the kind of a failure: the type of the exception and the line that raised it."""
    lines = text.strip().splitlines()
    last = max((number for number, line in enumerate(lines) if line.lstrip().startswith("File ")), default=0)
    name = next((line for line in lines[last + 1 :] if not line.startswith(" ")), lines[-1])
    return name.partition(":")[0], lines[last].strip()


def log_node(message: str) -> None:
    """Log a message literally, without markup."""
    logger.info(message, extra={"markup": False})


def digested_function(node: Node) -> Any:
    """Return the function whose code is part of the fingerprint of a node."""
    return getattr(node.func, "per_partition", node.func)
