"""Where the values of a partitioned dataset are stored: what a worker needs to load and save one of them."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec
import pandas as pd
import pyarrow as pa
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj
from pyarrow.parquet import ParquetFile

from video_recommender.storage.digests import fingerprint, fingerprint_bytes, fingerprint_file

TEMPORARY: Final = ".part-"
READERS: Final = 8
"""Threads that read small files: most of the time is spent waiting."""


@dataclass(frozen=True)
class PartitionStore:
    """Saves and loads the values of partitions, each in a file or folder of its own. It can be pickled.

    Attributes:
        protocol: of the file system, as fsspec names it.
        root: folder that holds the partitions.
        suffix: what every partition's file name ends in.
        dataset: the Kedro dataset of one partition, as in the catalog, without its path.
        schema: import path of a pandera model that every value must satisfy; empty for none.
        storage_options: of the file system, such as credentials.
    """

    protocol: str
    root: PurePosixPath
    suffix: str
    dataset: Mapping[str, Any]
    schema: str = ""
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The file system; an object store is asked each time, because other machines write there too."""
        return fsspec.filesystem(self.protocol, use_listings_cache=False, **self.storage_options)

    @property
    def is_local(self) -> bool:
        """Whether the partitions are on a disk of this machine."""
        return isinstance(self.filesystem, LocalFileSystem)

    def path(self, key: str) -> PurePosixPath:
        """Return the path of a partition."""
        return self.root / f"{key}{self.suffix}"

    def load(self, key: str) -> Any:
        """Load the value of a partition."""
        return self._dataset(self.path(key)).load()

    def save(self, key: str, value: Any) -> str:
        """Save the value of a partition; a reader finds the old value or the new one.

        Returns:
            The digest of the value: its attribute `digest` if it has one, else that of the stored bytes.

        Raises:
            DatasetError: if the value does not satisfy the schema, or cannot be saved.
        """
        value = self._validate(key, value)
        path = self.path(key)
        if self.is_local:
            temporary = _temporary(path)
            _remove(temporary)
            Path(path.parent).mkdir(parents=True, exist_ok=True)
            self._dataset(temporary).save(value)
            if Path(path).is_dir() and not Path(path).is_symlink():
                _remove(path)
            Path(temporary).replace(path)
        else:
            self._dataset(path).save(value)
        digest = getattr(value, "digest", None)
        return digest if isinstance(digest, str) and digest else self._digest(path)

    def delete(self, key: str) -> None:
        """Delete the value of a partition, and what an interrupted save has left of it."""
        path = self.path(key)
        if self.is_local:
            _remove(path)
            _remove(_temporary(path))
            return
        filesystem = self.filesystem
        if filesystem.exists(str(path)):
            filesystem.rm(str(path), recursive=filesystem.isdir(str(path)))

    def names(self, folder: PurePosixPath) -> set[str]:
        """List the names in a folder of partitions."""
        try:
            if self.is_local:
                return set(os.listdir(folder))
            return {PurePosixPath(path).name for path in self.filesystem.ls(str(folder), detail=False)}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def missing(self, keys: Iterable[str]) -> set[str]:
        """Return the keys that have no file, from one listing per folder."""
        listed: dict[PurePosixPath, set[str]] = {}
        missing = set()
        for key in keys:
            path = self.path(key)
            if path.parent not in listed:
                listed[path.parent] = self.names(path.parent)
            if path.name not in listed[path.parent]:
                missing.add(key)
        return missing

    def read_parquet(self, keys: Sequence[str]) -> tuple[pd.DataFrame, Sequence[int]]:
        """Read many Parquet files at once.

        Returns:
            Their rows in order, text as categories; and the number of rows of each.
        """
        paths = [str(self.path(key)) for key in keys]
        if self.is_local:
            with ThreadPoolExecutor(READERS) as threads:
                tables = list(threads.map(lambda path: _parse_parquet(Path(path).read_bytes()), paths))
        else:
            filesystem = self.filesystem
            contents = filesystem.cat(paths, max_concurrency=1)  # each in one piece
            tables = [_parse_parquet(contents[filesystem._strip_protocol(path)]) for path in paths]
        rows = pa.concat_tables(tables).combine_chunks()
        for number, column in enumerate(rows.schema):
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                rows = rows.set_column(number, column.name, rows[column.name].dictionary_encode())
        return rows.to_pandas(), [len(table) for table in tables]

    def _dataset(self, path: PurePosixPath) -> AbstractDataset[Any, Any]:
        filepath = str(path) if self.is_local else f"{self.protocol}://{path}"
        partition_type: Any = self.dataset["type"]
        options = {name: deepcopy(value) for name, value in self.dataset.items() if name != "type"}
        if self.storage_options:
            options["credentials"] = dict(self.storage_options)
        dataset: AbstractDataset[Any, Any] = partition_type(filepath=filepath, **options)
        return dataset

    def _validate(self, key: str, value: Any) -> Any:
        if not self.schema:
            return value
        from pandera.errors import SchemaError, SchemaErrors

        schema = load_obj(self.schema)
        try:
            return schema.validate(value)
        except (SchemaError, SchemaErrors) as error:
            raise DatasetError(f"{key} does not satisfy {schema.__name__} and was not saved: {error}") from error

    def _digest(self, path: PurePosixPath) -> str:
        if not self.is_local:
            return _digest_objects(self.filesystem, str(path))
        files = sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]
        if len(files) == 1 and files[0] == Path(path):
            return fingerprint_file(files[0])
        return fingerprint({str(file.relative_to(path)): fingerprint_file(file) for file in files if file.is_file()})


def _temporary(path: PurePosixPath) -> PurePosixPath:
    return path.with_name(f"{TEMPORARY}{path.name}")


def _remove(path: PurePosixPath) -> None:
    place = Path(path)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _digest_objects(filesystem: AbstractFileSystem, path: str) -> str:
    """Digest what an object store knows of the contents (S3: the ETags), so that they need not be fetched."""
    objects = filesystem.find(path, detail=True)
    if all("ETag" in entry for entry in objects.values()):
        return fingerprint([objects[name]["ETag"] for name in sorted(objects)])
    return fingerprint_bytes(b"".join(filesystem.cat_file(name) for name in sorted(objects)))


def _parse_parquet(content: bytes) -> pa.Table:
    """Read a table without pandas' dataset layer, which takes ten times as long for a small file."""
    return ParquetFile(pa.BufferReader(content)).read(use_threads=False).replace_schema_metadata()
