"""Find the file or folder behind a Kedro dataset, from its public configuration."""

import inspect
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from kedro.io import AbstractDataset, DataCatalog
from kedro.io.core import get_protocol_and_path

OPEN_ARGUMENTS = ("open_args_load", "open_args_save")
"""Members of `fs_args` that kedro-datasets passes to `open`, not to the file system."""


def dataset_location(dataset: AbstractDataset[Any, Any]) -> tuple[AbstractFileSystem, str] | None:
    """Find the file or folder that a dataset reads and writes.

    Args:
        dataset: any dataset with a `filepath` or `path`, also inside a wrapper with a `dataset` argument, such as
            `CachedDataset`.

    Returns:
        The file system, with the dataset's credentials and `fs_args`, and the path there without its protocol: of a
        versioned dataset, the folder of all versions. None if the dataset has no such path, as in memory.
    """
    config, credentials = dataset_config("dataset", dataset)
    entry = find_file_entry(config)
    return locate_entry(entry, credentials) if entry.get("filepath") or entry.get("path") else None


def dataset_config(name: str, dataset: AbstractDataset[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Convert a dataset to its entry in a catalog.

    Args:
        name: name of the entry.
        dataset: any dataset.

    Returns:
        The entry and the credentials that it names, as `DataCatalog.from_config` takes them; empty for datasets in
        memory.
    """
    catalog, credentials, _, _ = DataCatalog({name: dataset}).to_config()
    if name not in catalog:
        return {}, {}
    config = {**catalog[name], "type": type(dataset)}
    if {"args", "kwargs"} <= config.keys():  # Kedro records these for a subclass that inherits its constructor
        arguments = inspect.signature(type(dataset)).bind(*config.pop("args"), **config.pop("kwargs")).arguments
        arguments.pop("metadata", None)
        config |= arguments
        if config.pop("version", None):
            config["versioned"] = True
    return config, credentials


def find_file_entry(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a catalog entry that names a path: the entry itself, or that of the dataset it wraps."""
    while not {"filepath", "path"} & config.keys() and isinstance(config.get("dataset"), dict):
        config = config["dataset"]
    return config


def locate_entry(entry: dict[str, Any], credentials: dict[str, Any]) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a catalog entry, and its path there without the protocol."""
    protocol, path = get_protocol_and_path(str(entry.get("filepath") or entry["path"]))
    options = {name: value for name, value in (entry.get("fs_args") or {}).items() if name not in OPEN_ARGUMENTS}
    if protocol == "file":
        options.setdefault("auto_mkdir", True)
    secrets = credentials.get(entry.get("credentials") or "", {})
    # Options in the order of kedro-datasets: fsspec then returns the instance that the dataset itself uses.
    return fsspec.filesystem(protocol, **secrets, **options), path
