"""A Kedro catalog that saves atomically."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DataCatalog

from video_recommender.incremental.dataset_files import dataset_config, find_file_entry, locate_entry

STAGED_PREFIX = ".part-"
REPLACED_PREFIX = ".old-"
"""Prefixes of new content and of a folder that is being replaced; the next save removes leftovers of a killed run."""


class AtomicCatalog(DataCatalog):
    """A catalog that keeps the previous content of a dataset if a save fails or is interrupted."""

    def save(self, ds_name: str, data: Any) -> None:
        """Validate data and save it to a dataset; see `staged_dataset` for the datasets that are staged."""
        dataset = self[ds_name]
        with staged_dataset(dataset) as staged:
            if staged is dataset:
                super().save(ds_name, data)
                return
            entry, credentials = dataset_config(ds_name, staged)
            if ds_name in self.validators:
                entry["validator"] = self.validators[ds_name]
            catalog = DataCatalog.from_config({ds_name: entry}, credentials, validation_enabled=self.validation_enabled)
            catalog.save(ds_name, data)


@contextmanager
def staged_dataset(dataset: AbstractDataset[Any, Any]) -> Iterator[AbstractDataset[Any, Any]]:
    """Stage a save: content that is saved in the block replaces the previous content at its end, unless it raises.

    Applies to datasets with a `filepath`, including wrapped ones such as in `CachedDataset`, except for versioned
    datasets, which never overwrite. On a local disk, the block saves to a copy of the dataset with a temporary path. In
    an object store, it saves to the dataset itself in a transaction of the file system.
    """
    config, credentials = dataset_config("staged", dataset)
    entry = find_file_entry(config)
    if "filepath" not in entry or config.get("versioned") or entry.get("versioned"):
        yield dataset
        return
    filesystem, path = locate_entry(entry, credentials)
    if not isinstance(filesystem, LocalFileSystem):
        with filesystem.transaction:
            yield dataset
        return
    target = Path(path)
    staged, replaced = (target.with_name(f"{prefix}{target.name}") for prefix in (STAGED_PREFIX, REPLACED_PREFIX))
    _remove(staged)
    _remove(replaced)
    entry["filepath"] = str(staged)
    try:
        yield DataCatalog.from_config({"staged": config}, credentials)["staged"]
        if target.is_dir():  # a folder cannot be replaced atomically
            target.rename(replaced)
        staged.replace(target)
        _remove(replaced)
        dataset.release()
    finally:
        _remove(staged)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
