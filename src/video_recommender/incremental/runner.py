"""A Kedro runner that runs only stale nodes, and per-partition nodes on all workers."""

import logging
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from kedro.io import CatalogProtocol, DatasetError, SharedMemoryCatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from video_recommender.incremental.partition_run import (
    NodeHooks,
    PartitionRun,
    digested_function,
    log_node,
    run_accumulating_node,
)
from video_recommender.incremental.staleness import CatalogDigests, NodeLedger

LEDGER: Final = "node_ledger"
"""Dataset with the digests of each node; without it, all nodes that are not per-partition run every time."""

CODE: Final = "code"
"""Ledger entry that caches digests of code, so that a run without changes parses no source."""

ALWAYS_RUN: Final = "always_run"  # tag of a node that reads data outside the catalog

PARAMETER_PREFIX: Final = "params:"

logger = logging.getLogger(__name__)


class IncrementalRunner(SequentialRunner):
    """Runs nodes with stale outputs, and the stale partitions of per-partition nodes.

    An output is stale if the digest of an input, a parameter, the code or a declared library has changed since it was
    computed (see `staleness`). If a recomputed output is unchanged, nodes that read it stay up to date. The parameter
    group `workers` configures the executor of per-partition nodes (`WorkerOptions`).
    """

    def __str__(self) -> str:
        """Include the name of the base class, because kedro-viz records only runs whose runner's name contains it."""
        return f"<{type(self).__name__}, a kedro.runner.sequential_runner.SequentialRunner object>"

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any] | SharedMemoryCatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        keeps_ledger = LEDGER in catalog
        entries = _load_ledger(catalog) if keeps_ledger else {}
        code = entries.setdefault(CODE, {})
        known_code = dict(code)
        digests = CatalogDigests(catalog, code)
        for node in pipeline.nodes:  # before the run: code that is edited during the run did not compute the outputs
            if hasattr(node.func, "per_partition") or (keeps_ledger and _can_be_skipped(node)):
                digests.of_function(digested_function(node))
        ledger = NodeLedger(entries, digests)
        hooks = NodeHooks(hook_manager, catalog, run_id)
        unread = Counter(name for node in pipeline.nodes for name in node.inputs)
        for node in by_stage(pipeline):
            title = f"{stage_of(node).replace('_', ' '):<20} {node.short_name.replace('_', ' ')}"
            if hasattr(node.func, "per_partition"):
                PartitionRun(node, catalog, digests, hooks).execute(title)
            elif hasattr(node.func, "accumulates"):
                log_node(title)
                digests.forget(node.outputs)
                run_accumulating_node(node, catalog, hooks)
            else:
                description = ledger.describe(node) if keeps_ledger and _can_be_skipped(node) else None
                if description is not None and ledger.is_up_to_date(node, description):
                    log_node(f"{title}: up to date")
                    hooks.skip(node)
                else:
                    log_node(title)
                    digests.forget(node.outputs)
                    Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                    if description is not None:
                        ledger.record(node, description)
                        catalog.save(LEDGER, ledger.entries)
            _release(node, catalog, unread, pipeline)
        if keeps_ledger and code != known_code:
            catalog.save(LEDGER, ledger.entries)


def _can_be_skipped(node: Node) -> bool:
    return ALWAYS_RUN not in node.tags and not hasattr(node.func, "accumulates")


def _load_ledger(catalog: Any) -> dict[str, Any]:
    if not catalog[LEDGER].exists():
        return {}
    try:
        entries = catalog.load(LEDGER)
    except DatasetError:
        logger.warning("%s cannot be read: all tables are recomputed", LEDGER, exc_info=True)
        return {}
    return entries if isinstance(entries, dict) else {}


def _release(node: Node, catalog: Any, unread: "Counter[str]", pipeline: Pipeline) -> None:
    """Release datasets in memory that no other node reads, as Kedro's runners do."""
    unread.subtract(node.inputs)
    finished = {name for name in {*node.inputs, *node.outputs} if unread[name] < 1}
    for name in finished - pipeline.inputs() - pipeline.outputs():
        catalog.release(name)


def stage_of(node: Node) -> str:
    """Return the stage (namespace) of a node, or an empty string."""
    return node.namespace or ""


def by_stage(pipeline: Pipeline) -> list[Node]:
    """Sort the nodes of a pipeline so that each stage finishes before the next one starts, if possible."""
    stages: dict[str, set[str]] = {}
    for node, needed in pipeline.node_dependencies.items():
        stages.setdefault(stage_of(node), set()).update({stage_of(other) for other in needed} - {stage_of(node)})
    try:
        order = list(TopologicalSorter(dict(sorted(stages.items()))).static_order())
    except CycleError:
        return list(pipeline.nodes)
    return sorted(pipeline.nodes, key=lambda node: order.index(stage_of(node)))


def parameter_groups(pipeline: Pipeline) -> set[str]:
    """Return the parameter groups that a pipeline reads, such as `detection`."""
    names = (name for name in pipeline.inputs() if name.startswith(PARAMETER_PREFIX))
    return {name.removeprefix(PARAMETER_PREFIX).split(".")[0] for name in names}


def use_incremental_runner() -> None:
    """Make `IncrementalRunner` the default runner of `kedro run`, `session.run()` and `kedro server`.

    Call it in `settings.py`. To use another runner, name its module:
    `kedro run --runner=kedro.runner.sequential_runner.SequentialRunner`.
    """
    import kedro.framework.session.service_session  # Kedro has no setting and selects the runner in three modules
    import kedro.framework.session.session
    import kedro.runner

    for module in (kedro.runner, kedro.framework.session.session, kedro.framework.session.service_session):
        vars(module)["SequentialRunner"] = IncrementalRunner
