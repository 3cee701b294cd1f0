"""Staleness: an output is stale if the digest of an input, a parameter, the code or a library has changed."""

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
    """Dependencies of a node function in addition to its inputs."""

    libraries: tuple[str, ...] = ()  # distributions whose versions are part of the fingerprint
    version: str | None = None  # replaces the digest of the code


def depends_on(*libraries: str, version: str | None = None) -> Callable[[F], F]:
    """Declare dependencies of a node function in addition to its inputs and code.

    Args:
        libraries: distributions, such as `scikit-learn`; results are stale if an installed version changes.
        version: replaces the digest of the code; results are stale only if it changes. Use it for costly functions.
    """

    def mark(function: F) -> F:
        function.dependencies = Dependencies(libraries, version)  # type: ignore[attr-defined]
        return function

    return mark


def function_digest(function: Callable[..., Any], cache: CodeCache | None = None) -> str:
    """Compute the digest of the code (see `code_digest`) or version of a node function, and of its libraries."""
    function, bound = unwrap(function)
    dependencies: Dependencies = getattr(function, "dependencies", Dependencies())
    code = code_digest(function, cache) if dependencies.version is None else dependencies.version
    return fingerprint(code, bound, {library: _installed_version(library) for library in dependencies.libraries})


class CatalogDigests:
    """Caches the digests of node functions, and of datasets until they are saved again."""

    def __init__(self, catalog: CatalogProtocol[Any, Any], code: CodeCache | None = None) -> None:
        self._catalog = catalog
        self._code: CodeCache = {} if code is None else code
        self._digests: dict[str, str | None] = {}
        self._functions: dict[int, tuple[Callable[..., Any], str]] = {}

    def of(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return the digests of datasets and parameters; None for a dataset in memory or a value without a digest."""
        names = list(names)
        self._digests |= {name: self._compute(name) for name in names if name not in self._digests}
        return {name: self._digests[name] for name in names}

    def of_function(self, function: Callable[..., Any]) -> str:
        """Return the digest of a node function at the time of the first call."""
        if id(function) not in self._functions:
            self._functions[id(function)] = function, function_digest(function, self._code)
        return self._functions[id(function)][1]

    def forget(self, names: Iterable[str]) -> None:
        """Discard the digests of datasets before they are saved."""
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
    """The digests of the function, inputs and outputs of each node in its last run."""

    def __init__(self, entries: Mapping[str, Any], digests: CatalogDigests) -> None:
        self.entries = dict(entries)
        self._digests = digests

    def describe(self, node: Node) -> dict[str, Any]:
        """Return the digests of a node's function and inputs; call it before the node runs."""
        inputs = self._digests.of(node.inputs)
        return {
            "function": self._digests.of_function(node.func),
            "inputs": [[name, inputs[name]] for name in node.inputs],
        }

    def is_up_to_date(self, node: Node, description: Mapping[str, Any]) -> bool:
        """Return whether the function, inputs and outputs of a node are unchanged since its last run."""
        if node.name not in self.entries or any(digest is None for _, digest in description["inputs"]):
            return False
        outputs = self._digests.of(node.outputs)
        if None in outputs.values() or ABSENT in outputs.values():
            return False
        return bool(self.entries[node.name] == {**description, "outputs": outputs})

    def record(self, node: Node, description: Mapping[str, Any]) -> None:
        """Store the digests of a node after it has run."""
        self._digests.forget(node.outputs)
        self.entries[node.name] = {**description, "outputs": self._digests.of(node.outputs)}


def _installed_version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""
