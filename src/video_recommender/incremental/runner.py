"""A Kedro runner that does, like make, only what is not done yet."""

from typing import Any, TypedDict

from kedro.io import CatalogProtocol, SharedMemoryCatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from video_recommender.incremental.code_digest import code_digest
from video_recommender.incremental.stages import PARAMETER_PREFIX, by_stage, module_of, stage_of
from video_recommender.incremental.stored_digest import stored_digest
from video_recommender.storage.digests import fingerprint

LEDGER = "run_ledger"
NEVER_SKIPPED = frozenset({"per_video", "on_demand"})
"""Tags of nodes that know themselves what is left to do, or that look at a file outside the catalog."""


class IncrementalRunner(SequentialRunner):
    """Runs the nodes whose inputs, parameters or code have changed since their outputs were made; skips the rest.

    What was made from what is kept in the dataset `run_ledger`, as digests: a node is skipped when the digests of its
    inputs, of the code that it reaches and of its outputs are those that its last run has left. So a stopped run goes
    on where it was, a changed parameter redoes its stage and those after it, and equal results end the redoing early.
    """

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any] | SharedMemoryCatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        ledger = _Ledger(catalog)
        for node in by_stage(pipeline):
            may_be_skipped = node.tags.isdisjoint(NEVER_SKIPPED)
            if may_be_skipped and ledger.is_up_to_date(node):
                self._logger.info("%s: up to date", _title(node))
            else:
                self._logger.info("%s", _title(node))
                ledger.forget(node)
                Task(node, catalog, self._is_async, hook_manager, run_id).execute()
                if may_be_skipped:
                    ledger.remember(node)


class _Entry(TypedDict):
    code: str
    inputs: dict[str, str | None]
    outputs: dict[str, str | None]


class _Ledger:
    """What each node was last made from, and what it made."""

    def __init__(self, catalog: CatalogProtocol[Any, Any]) -> None:
        self._catalog = catalog
        self._is_kept = LEDGER in catalog
        self._entries: dict[str, _Entry] = catalog.load(LEDGER) if self._is_kept and catalog.exists(LEDGER) else {}
        self._digests: dict[str, str | None] = {}

    def is_up_to_date(self, node: Node) -> bool:
        entry = self._describe(node)
        digests = [*entry["inputs"].values(), *entry["outputs"].values()]
        return self._entries.get(node.name) == entry and None not in digests

    def forget(self, node: Node) -> None:
        for name in node.outputs:
            self._digests.pop(name, None)

    def remember(self, node: Node) -> None:
        if self._is_kept:
            self._entries = {**self._entries, node.name: self._describe(node)}
            self._catalog.save(LEDGER, self._entries)

    def _describe(self, node: Node) -> _Entry:
        return _Entry(
            code=code_digest(module_of(node)),
            inputs={name: self._digest(name) for name in node.inputs},
            outputs={name: self._digest(name) for name in node.outputs},
        )

    def _digest(self, name: str) -> str | None:
        if name not in self._digests:
            self._digests[name] = self._read_digest(name)
        return self._digests[name]

    def _read_digest(self, name: str) -> str | None:
        if name.startswith(PARAMETER_PREFIX) or name == "parameters":
            return fingerprint(self._catalog.load(name))
        dataset = self._catalog[name]
        if hasattr(dataset, "fingerprint"):
            return str(dataset.fingerprint())
        place, filesystem = getattr(dataset, "_filepath", None), getattr(dataset, "_fs", None)
        return stored_digest(filesystem, place) if place is not None and filesystem is not None else None


def _title(node: Node) -> str:
    return f"{stage_of(node).replace('_', ' '):<20} {node.short_name.replace('_', ' ')}"
