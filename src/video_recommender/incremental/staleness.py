"""The one rule of staleness: an output is stale if anything that it was made from has another digest than before."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, CatalogProtocol
from kedro.io.core import is_parameter
from kedro.pipeline.node import Node

from video_recommender.incremental.code_digest import code_digest
from video_recommender.storage.digests import fingerprint, fingerprint_bytes, fingerprint_file

ABSENT: Final = "absent"
"""The digest of a file that does not exist."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Dependencies:
    """What a node function depends on besides its inputs.

    Attributes:
        libraries: distributions whose versions count.
        version: takes the place of the digest of the code; None if the code counts.
    """

    libraries: tuple[str, ...] = ()
    version: str | None = None


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


def function_digest(function: Callable[..., Any]) -> str:
    """Digest what a node function depends on besides its inputs: its code or version, and its libraries."""
    while isinstance(function, partial):
        function = function.func
    dependencies: Dependencies = getattr(function, "dependencies", Dependencies())
    code = code_digest(function) if dependencies.version is None else dependencies.version
    return fingerprint(code, {library: _installed_version(library) for library in dependencies.libraries})


def value_digest(value: Any) -> str:
    """Digest a value in memory: its attribute `digest` if it has one, else its content.

    Args:
        value: a pydantic model, a dataclass, a path, bytes, or what JSON can hold.

    Raises:
        TypeError: if a part of it is of another type.
    """
    digest = getattr(value, "digest", None)
    return digest if isinstance(digest, str) else fingerprint(_plain(value))


class CatalogDigests:
    """The digests of datasets, each computed once until it is saved again.

    Args:
        catalog: the datasets.
    """

    def __init__(self, catalog: CatalogProtocol[Any, Any]) -> None:
        self._catalog = catalog
        self._digests: dict[str, str | None] = {}

    def of(self, names: Iterable[str]) -> dict[str, str | None]:
        """Digest datasets and parameters; None for a dataset that is kept in memory only."""
        self._digests |= {name: self._compute(name) for name in names if name not in self._digests}
        return {name: self._digests[name] for name in names}

    def forget(self, names: Iterable[str]) -> None:
        """Forget the digests of datasets that are about to be saved."""
        for name in names:
            self._digests.pop(name, None)

    def _compute(self, name: str) -> str | None:
        if is_parameter(name):
            return value_digest(self._catalog.load(name))
        dataset = self._catalog[name]
        return str(dataset.fingerprint()) if hasattr(dataset, "fingerprint") else file_digest(dataset)


def file_digest(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Digest the file of a dataset.

    Returns:
        The digest of its bytes, or what an object store knows of them (S3: the ETag); `ABSENT` if there is no file;
        None if the dataset keeps no file.
    """
    from video_recommender.incremental.dataset_location import dataset_location

    location = dataset_location(dataset)
    if location is None:
        return None
    filesystem, path = location
    if isinstance(filesystem, LocalFileSystem):
        return fingerprint_file(Path(path)) if filesystem.isfile(path) else ABSENT
    filesystem.invalidate_cache(path)
    return str(filesystem.checksum(path)) if filesystem.isfile(path) else ABSENT


class NodeLedger:
    """What each node was last made from, and what it made.

    Args:
        entries: as `save` has given them.
        digests: of the datasets of this run.
    """

    def __init__(self, entries: Mapping[str, Any], digests: CatalogDigests) -> None:
        self.entries = dict(entries)
        self._digests = digests

    def is_up_to_date(self, node: Node) -> bool:
        """Whether nothing that the node depends on, nor what it has made, has changed."""
        outputs = self._digests.of(node.outputs).values()
        if None in outputs or ABSENT in outputs or node.name not in self.entries:
            return False
        entry = self._describe(node)
        return self.entries[node.name] == entry and None not in entry["inputs"].values()

    def record(self, node: Node) -> None:
        """Remember what a node was made from, once it has run."""
        self._digests.forget(node.outputs)
        self.entries[node.name] = self._describe(node)

    def _describe(self, node: Node) -> dict[str, Any]:
        return {
            "function": function_digest(node.func),
            "inputs": self._digests.of(node.inputs),
            "outputs": self._digests.of(node.outputs),
        }


@cache
def _installed_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return fingerprint_bytes(value)
    if isinstance(value, PurePath):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {"": type(value).__name__, **{field.name: _plain(getattr(value, field.name)) for field in fields(value)}}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return value
