"""The one rule of staleness: an output is stale if anything that it was made from has another digest than before."""

import importlib.metadata
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kedro.io import CatalogProtocol
from kedro.io.core import is_parameter
from kedro.pipeline.node import Node

from video_recommender.incremental.code_digest import CodeCache, code_digest, unwrap
from video_recommender.incremental.dataset_files import ABSENT, dataset_digest
from video_recommender.storage.digests import fingerprint, value_digest

F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dependencies:
    """What a node function depends on besides its inputs."""

    libraries: tuple[str, ...] = ()  # distributions whose versions count
    version: str | None = None  # takes the place of the digest of the code


def depends_on(*libraries: str, version: str | None = None) -> Callable[[F], F]:
    """Declare what the results of a node function depend on besides its inputs and its code.

    Args:
        libraries: distributions, such as `scikit-learn`: another version of one makes the results stale.
        version: for a costly function: results are stale if this changes, and not if the code changes.
    """

    def mark(function: F) -> F:
        function.dependencies = Dependencies(libraries, version)  # type: ignore[attr-defined]
        return function

    return mark


def function_digest(function: Callable[..., Any], cache: CodeCache | None = None) -> str:
    """Digest what a node function depends on besides its inputs: code (see `code_digest`) or version, and libraries."""
    function, bound = unwrap(function)
    dependencies: Dependencies = getattr(function, "dependencies", Dependencies())
    code = code_digest(function, cache) if dependencies.version is None else dependencies.version
    return fingerprint(code, bound, {library: _installed_version(library) for library in dependencies.libraries})


class CatalogDigests:
    """The digests of datasets and node functions, each computed once: of a dataset, until it is saved again."""

    def __init__(self, catalog: CatalogProtocol[Any, Any], code: CodeCache | None = None) -> None:
        self._catalog = catalog
        self._code: CodeCache = {} if code is None else code
        self._digests: dict[str, str | None] = {}
        self._functions: dict[int, tuple[Callable[..., Any], str]] = {}

    def of(self, names: Iterable[str]) -> dict[str, str | None]:
        """Digest datasets and parameters; None if one is kept in memory only, or holds what has no digest."""
        names = list(names)
        self._digests |= {name: self._compute(name) for name in names if name not in self._digests}
        return {name: self._digests[name] for name in names}

    def of_function(self, function: Callable[..., Any]) -> str:
        """Digest a node function, as it is when this is called for the first time."""
        if id(function) not in self._functions:
            self._functions[id(function)] = function, function_digest(function, self._code)
        return self._functions[id(function)][1]

    def forget(self, names: Iterable[str]) -> None:
        """Forget the digests of datasets that are about to be saved."""
        for name in names:
            self._digests.pop(name, None)

    def _compute(self, name: str) -> str | None:
        if not is_parameter(name):
            return dataset_digest(self._catalog[name])
        try:
            return value_digest(self._catalog.load(name))
        except TypeError as error:
            logger.warning("Nodes that read %s are never up to date: %s", name, error)
            return None


class NodeLedger:
    """What each node was last made from, and what it made."""

    def __init__(self, entries: Mapping[str, Any], digests: CatalogDigests) -> None:
        self.entries = dict(entries)
        self._digests = digests

    def describe(self, node: Node) -> dict[str, Any]:
        """Describe what a node is made from, before it runs: what changes while it runs makes it stale."""
        inputs = self._digests.of(node.inputs)
        return {
            "function": self._digests.of_function(node.func),
            "inputs": [[name, inputs[name]] for name in node.inputs],
        }

    def is_up_to_date(self, node: Node, description: Mapping[str, Any]) -> bool:
        """Whether nothing that a node is made from, nor what it has made, has changed."""
        if node.name not in self.entries or any(digest is None for _, digest in description["inputs"]):
            return False
        outputs = self._digests.of(node.outputs)
        if None in outputs.values() or ABSENT in outputs.values():
            return False
        return bool(self.entries[node.name] == {**description, "outputs": outputs})

    def record(self, node: Node, description: Mapping[str, Any]) -> None:
        """Remember what a node was made from, once it has run."""
        self._digests.forget(node.outputs)
        self.entries[node.name] = {**description, "outputs": self._digests.of(node.outputs)}


def _installed_version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""
