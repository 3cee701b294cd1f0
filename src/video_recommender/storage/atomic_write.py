"""Atomic writes: readers see the old content or the new content, never a part of it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any
from uuid import uuid4

from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DataCatalog

from video_recommender.storage.dataset_location import dataset_config, find_file_entry, locate_entry

STAGED_PREFIX = ".part-"
REPLACED_PREFIX = ".old-"


def atomic_save(dataset: AbstractDataset[Any, Any], content: Any) -> None:
    """Save to a dataset such that a failed save leaves its previous content; see `staged_dataset`."""
    with staged_dataset(dataset) as staged:
        staged.save(content)


@contextmanager
def staged_dataset(dataset: AbstractDataset[Any, Any]) -> Iterator[AbstractDataset[Any, Any]]:
    """Stage a save: what is saved within the block replaces the previous content at its end, unless it raises.

    Args:
        dataset: any dataset. Those with a `filepath` are staged, also inside a wrapper such as `CachedDataset`.
            Versioned ones, which never overwrite, and those without a file are not.

    Yields:
        The dataset to save to: on a local disk, a copy of it with a temporary path. An object store makes objects
        visible as a whole, so there it is the dataset itself, within a transaction of its file system.
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
    staged, replaced = map(Path, staging_paths(target))
    _remove(staged)
    _remove(replaced)
    entry["filepath"] = str(staged)
    try:
        yield DataCatalog.from_config({"staged": config}, credentials)["staged"]
        if target.is_dir():  # a folder that is not empty can be neither replaced nor deleted in one step
            target.rename(replaced)
        staged.replace(target)
        _remove(replaced)
        dataset.release()
    finally:
        _remove(staged)


def staging_paths(path: PurePath) -> tuple[PurePath, PurePath]:
    """Return where an interrupted save may leave the new content, and the folder that it was replacing."""
    return path.with_name(f"{STAGED_PREFIX}{path.name}"), path.with_name(f"{REPLACED_PREFIX}{path.name}")


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a local file durably, also while other processes read or write it; creates its folder."""
    path.parent.mkdir(exist_ok=True)
    staged = path.with_name(f"{STAGED_PREFIX}{uuid4().hex}-{path.name}")
    try:
        with staged.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # otherwise a power cut could leave the name without its content
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
