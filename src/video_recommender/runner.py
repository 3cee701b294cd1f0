"""A Kedro runner that does, like make, only what is not done yet."""

import ast
from collections.abc import Iterator
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any, TypedDict

from kedro.io import CatalogProtocol, SharedMemoryCatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from video_recommender.fingerprints import fingerprint, fingerprint_file

PACKAGE = __package__
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
            if node.tags.isdisjoint(NEVER_SKIPPED) and ledger.is_up_to_date(node):
                self._logger.info("%s: up to date", _title(node))
            else:
                self._logger.info("%s", _title(node))
                ledger.forget(node)
                Task(node, catalog, self._is_async, hook_manager, run_id).execute()
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
            code=_code_digest(_module_of(node)),
            inputs={name: self._digest(name) for name in node.inputs},
            outputs={name: self._digest(name) for name in node.outputs},
        )

    def _digest(self, name: str) -> str | None:
        if name not in self._digests:
            self._digests[name] = self._read_digest(name)
        return self._digests[name]

    def _read_digest(self, name: str) -> str | None:
        if name.startswith("params:") or name == "parameters":
            return fingerprint(self._catalog.load(name))
        dataset = self._catalog[name]
        if hasattr(dataset, "fingerprint"):
            return str(dataset.fingerprint())
        place = getattr(dataset, "_filepath", None)
        return fingerprint_file(Path(place)) if place is not None and Path(place).is_file() else None


def stage_of(node: Node) -> str:
    """The pipeline package that a node's function is from, such as `detection`."""
    return ("", *_module_of(node).split("."))[-2]


def by_stage(pipeline: Pipeline) -> list[Node]:
    """Order a pipeline's nodes so that a stage is finished before the next begins, where that is possible."""
    stages: dict[str, set[str]] = {}
    for node, needed in pipeline.node_dependencies.items():
        stages.setdefault(stage_of(node), set()).update({stage_of(other) for other in needed} - {stage_of(node)})
    try:
        order = list(TopologicalSorter(dict(sorted(stages.items()))).static_order())
    except CycleError:
        return list(pipeline.nodes)
    return sorted(pipeline.nodes, key=lambda node: order.index(stage_of(node)))


def _module_of(node: Node) -> str:
    function = node.func.func if isinstance(node.func, partial) else node.func
    return str(function.__module__)


def _title(node: Node) -> str:
    return f"{stage_of(node).replace('_', ' '):<20} {node.name.replace('_', ' ')}"


@cache
def _code_digest(module: str) -> str:
    """Digest the source of a module and of all modules of this package that it imports, however indirectly."""
    digests: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _source_file(name) if name not in digests else None
        if file is not None:
            digests[name] = fingerprint([path.read_text(encoding="utf-8") for path in (file, *_data_beside(file))])
            waiting += _imported(name, file)
    return fingerprint(digests)


def _source_file(module: str) -> Path | None:
    if not module.startswith(f"{PACKAGE}."):
        return None
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # not a module, but something that is imported from one
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _data_beside(file: Path) -> list[Path]:
    data = file.with_suffix(".txt")
    return [data] if data.is_file() else []


def _imported(module: str, file: Path) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            source = resolve_name("." * statement.level + (statement.module or ""), package)
            yield source
            yield from (f"{source}.{alias.name}" for alias in statement.names)
