"""A Kedro runner that runs only what is stale, and per-partition nodes on all workers."""

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
"""The dataset that keeps what each node was made from; without it every table is computed again."""

CODE: Final = "code"
"""The entry of the ledger that keeps digests of code, so that a run with nothing to do parses no source."""

ALWAYS_RUN: Final = "always_run"  # tag of a node that looks at something outside of the catalog

PARAMETER_PREFIX: Final = "params:"

logger = logging.getLogger(__name__)


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
        keeps_ledger = LEDGER in catalog
        entries = _load_ledger(catalog) if keeps_ledger else {}
        code = entries.setdefault(CODE, {})
        known_code = dict(code)
        digests = CatalogDigests(catalog, code)
        for node in pipeline.nodes:  # at the start: an edit during the run must not count for what older code has made
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
        logger.warning("%s cannot be read: every table is computed again", LEDGER, exc_info=True)
        return {}
    return entries if isinstance(entries, dict) else {}


def _release(node: Node, catalog: Any, unread: "Counter[str]", pipeline: Pipeline) -> None:
    """Release what is kept in memory once no other node reads it, as Kedro's runners do."""
    unread.subtract(node.inputs)
    finished = {name for name in {*node.inputs, *node.outputs} if unread[name] < 1}
    for name in finished - pipeline.inputs() - pipeline.outputs():
        catalog.release(name)


def stage_of(node: Node) -> str:
    """Return the stage of a node, which is its namespace; empty if it has none."""
    return node.namespace or ""


def by_stage(pipeline: Pipeline) -> list[Node]:
    """Order the nodes of a pipeline so that each stage finishes before the next one starts, if that is possible."""
    stages: dict[str, set[str]] = {}
    for node, needed in pipeline.node_dependencies.items():
        stages.setdefault(stage_of(node), set()).update({stage_of(other) for other in needed} - {stage_of(node)})
    try:
        order = list(TopologicalSorter(dict(sorted(stages.items()))).static_order())
    except CycleError:
        return list(pipeline.nodes)
    return sorted(pipeline.nodes, key=lambda node: order.index(stage_of(node)))


def parameter_groups(pipeline: Pipeline) -> set[str]:
    """Return the groups of parameters that a pipeline reads, such as `detection`."""
    names = (name for name in pipeline.inputs() if name.startswith(PARAMETER_PREFIX))
    return {name.removeprefix(PARAMETER_PREFIX).split(".")[0] for name in names}


def use_incremental_runner() -> None:
    """Let Kedro use `IncrementalRunner` wherever it would use `SequentialRunner` by default; for `settings.py`.

    Kedro has no setting for it, and `kedro run`, `session.run()` in a notebook and `kedro server` choose the runner in
    three places. `--runner=kedro.runner.sequential_runner.SequentialRunner` still names Kedro's own.
    """
    import kedro.framework.session.service_session
    import kedro.framework.session.session
    import kedro.runner

    for module in (kedro.runner, kedro.framework.session.session, kedro.framework.session.service_session):
        vars(module)["SequentialRunner"] = IncrementalRunner
