"""Loads and saves the values of a partitioned dataset, in the parent process and in workers."""

import errno
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final
from uuid import uuid4

import fsspec
import pandas as pd
import pyarrow as pa
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj
from pyarrow.parquet import ParquetFile

from video_recommender.incremental.dataset_files import ABSENT, path_digest

TEMPORARY: Final = ".part-"
REPLACED: Final = ".old-"

SAVE_ATTEMPTS: Final = 3

CONCURRENT_SAVE_ERRORS: Final = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST})
"""Errors that occur if another run saves or discards the same partition at the same time."""

READERS: Final = 8  # threads that read small files, which mostly wait for the disk


def check_key(key: str) -> None:
    """Check that a key is a path inside the folder of the partitions that is not hidden.

    Raises:
        ValueError: if it is not.
    """
    if any(not part or part.startswith(".") for part in key.split("/")):
        raise ValueError(
            f"{key!r} cannot be the key of a partition: remove parts of the path that are empty or start with a dot"
        )


@dataclass(frozen=True)
class PartitionStore:
    """Saves and loads the values of partitions, one file or folder each. It can be pickled."""

    protocol: str  # fsspec's name of the file system
    root: PurePosixPath  # folder of the partitions
    suffix: str  # suffix of the file names
    dataset: Mapping[str, Any]  # catalog entry of one partition, without its path
    schema: str = ""  # import path of the pandera model that every value must satisfy
    storage_options: Mapping[str, Any] = field(default_factory=dict)  # options of the file system, such as credentials
    run: str = field(default_factory=lambda: uuid4().hex[:8], compare=False)  # part of the names of temporary files

    @property
    def filesystem(self) -> AbstractFileSystem:
        """The file system, without a cache of listings, because other machines can write to an object store."""
        return fsspec.filesystem(self.protocol, use_listings_cache=False, **self.storage_options)

    @property
    def is_local(self) -> bool:
        """Whether the partitions are on a local disk."""
        return isinstance(self.filesystem, LocalFileSystem)

    def path(self, key: str) -> PurePosixPath:
        """Return the path of a partition."""
        return self.root / f"{key}{self.suffix}"

    def load(self, key: str) -> Any:
        """Load the value of a partition."""
        return self._dataset(self.path(key)).load()

    def save(self, key: str, value: Any) -> str:
        """Validate and save the value of a partition, atomically on a local disk.

        Returns:
            The digest of the value: its attribute `digest` if it has one, else the digest of the stored bytes.

        Raises:
            DatasetError: if the value does not satisfy the schema, or cannot be saved.
        """
        return self.write(key, self.validate(key, value))

    def write(self, key: str, value: Any) -> str:
        """Save the value of a partition without validating it, and return its digest."""
        path = self.path(key)
        if self.is_local:
            self._save_atomically(Path(path), value)
        else:
            self._dataset(path).save(value)
        digest = getattr(value, "digest", None)
        return digest if isinstance(digest, str) and digest else path_digest(self.filesystem, str(path)) or ABSENT

    def validate(self, key: str, value: Any) -> Any:
        """Return the value, validated with the schema if there is one.

        Raises:
            DatasetError: if the value does not satisfy the schema.
        """
        if not self.schema:
            return value
        from pandera.errors import SchemaError, SchemaErrors

        schema = load_obj(self.schema)
        try:
            return schema.validate(value)
        except (SchemaError, SchemaErrors) as error:
            raise DatasetError(f"{key} does not satisfy {schema.__name__} and was not saved: {error}") from error

    def delete(self, key: str) -> None:
        """Delete the value of a partition."""
        path = self.path(key)
        if self.is_local:
            _remove(Path(path))
        else:
            filesystem = self.filesystem
            for name in filesystem.find(str(path)):  # `rm` interprets a path as a pattern
                filesystem.rm_file(name)

    def discard(self, key: str, run: str) -> None:
        """Delete the temporary files of a partition that a killed run was saving."""
        if self.is_local:
            for name in _temporary_paths(Path(self.path(key)), run):
                _remove(name)

    def names(self, folder: PurePosixPath) -> set[str]:
        """List the names in a folder of partitions."""
        try:
            if self.is_local:
                return set(os.listdir(folder))  # noqa: PTH208 - `Path.iterdir` is ten times slower
            return {PurePosixPath(path).name for path in self.filesystem.ls(str(folder), detail=False)}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def missing(self, keys: Iterable[str]) -> set[str]:
        """Return the keys that have no file; list each folder once."""
        listed: dict[str, set[str]] = {}
        missing = set()
        for key in keys:
            folder, _, name = key.rpartition("/")
            if folder not in listed:
                listed[folder] = self.names(self.root / folder)
            if f"{name}{self.suffix}" not in listed[folder]:
                missing.add(key)
        return missing

    def read_parquet(self, keys: Sequence[str]) -> tuple[pd.DataFrame, Sequence[int]]:
        """Read many Parquet files concurrently.

        Returns:
            The rows of all files, in order, with text columns as categorical; and the number of rows of each file.
        """
        paths = [str(self.path(key)) for key in keys]
        if self.is_local:
            with ThreadPoolExecutor(READERS) as threads:
                tables = list(threads.map(lambda path: _parse_parquet(Path(path).read_bytes()), paths))
        else:  # `cat` would interpret a path as a pattern
            contents = self.filesystem.cat_ranges(paths, None, None, on_error="raise")
            tables = [_parse_parquet(content) for content in contents]
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

    def _save_atomically(self, path: Path, value: Any) -> None:
        """Save to a temporary path, then rename."""
        temporary, replaced = _temporary_paths(path, self.run)
        for attempt in range(SAVE_ATTEMPTS):
            _remove(temporary)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._dataset(PurePosixPath(temporary.as_posix())).save(value)
                if path.is_dir() and not path.is_symlink():  # a folder cannot be replaced atomically
                    path.rename(replaced)
                temporary.replace(path)
                break
            except (OSError, DatasetError) as error:
                cause = error.__cause__ if isinstance(error, DatasetError) else error
                if getattr(cause, "errno", None) not in CONCURRENT_SAVE_ERRORS or attempt + 1 == SAVE_ATTEMPTS:
                    raise
            finally:
                _remove(replaced)
                _remove(temporary)


def _temporary_paths(path: Path, run: str) -> tuple[Path, Path]:
    """Return the temporary path of a new value, and the temporary path of a folder that is being replaced."""
    return path.with_name(f"{TEMPORARY}{run}-{path.name}"), path.with_name(f"{REPLACED}{run}-{path.name}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        with suppress(FileNotFoundError):  # another run can delete it at the same time
            shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _parse_parquet(content: bytes) -> pa.Table:
    """Read a table with pyarrow, which is ten times faster than pandas for small files."""
    return ParquetFile(pa.BufferReader(content)).read(use_threads=False).replace_schema_metadata()
