"""The file or folder of a Kedro dataset, according to its public configuration, and its digest."""

import inspect
from pathlib import Path
from typing import Any, Final

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DataCatalog
from kedro.io.core import get_protocol_and_path

from video_recommender.storage.digests import fingerprint, fingerprint_bytes, fingerprint_file

ABSENT: Final = "absent"  # the digest of a file that does not exist

OPEN_ARGUMENTS = ("open_args_load", "open_args_save")
"""Keys of `fs_args` that kedro-datasets passes to `open` instead of to the file system."""


def dataset_location(dataset: AbstractDataset[Any, Any]) -> tuple[AbstractFileSystem, str] | None:
    """Find the file or folder of a dataset, or of the dataset that it wraps.

    Returns:
        The file system, with the dataset's credentials and `fs_args`, and the path without its protocol, which is the
        folder of all versions for a versioned dataset. None if the dataset has no path, such as a dataset in memory.
    """
    config, credentials = dataset_config("dataset", dataset)
    entry = find_file_entry(config)
    return locate_entry(entry, credentials) if entry.get("filepath") or entry.get("path") else None


def dataset_config(name: str, dataset: AbstractDataset[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the catalog entry of a dataset and its credentials; both are empty for a dataset in memory."""
    catalog, credentials, _, _ = DataCatalog({name: dataset}).to_config()
    if name not in catalog:
        return {}, {}
    config = {**catalog[name], "type": type(dataset)}
    if {"args", "kwargs"} <= config.keys():  # Kedro stores these for a subclass that inherits its constructor
        arguments = inspect.signature(type(dataset)).bind(*config.pop("args"), **config.pop("kwargs")).arguments
        arguments.pop("metadata", None)
        config |= arguments
        if config.pop("version", None):
            config["versioned"] = True
    return config, credentials


def find_file_entry(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a catalog entry that contains the path: the entry itself, or that of the wrapped dataset."""
    while not {"filepath", "path"} & config.keys() and isinstance(config.get("dataset"), dict):
        config = config["dataset"]
    return config


def locate_entry(entry: dict[str, Any], credentials: dict[str, Any]) -> tuple[AbstractFileSystem, str]:
    """Return the file system of a catalog entry, and its path without the protocol."""
    protocol, path = get_protocol_and_path(str(entry.get("filepath") or entry["path"]))
    options = {name: value for name, value in (entry.get("fs_args") or {}).items() if name not in OPEN_ARGUMENTS}
    if protocol == "file":
        options.setdefault("auto_mkdir", True)
    secrets = credentials.get(entry.get("credentials") or "", {})
    # The same order of options as in kedro-datasets, so that fsspec returns the instance that the dataset uses
    return fsspec.filesystem(protocol, **secrets, **options), path


def dataset_digest(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Compute the digest of the stored content of a dataset.

    Returns:
        The result of its method `fingerprint` if it has one, else the digest of its file or folder; `ABSENT` if it does
        not exist; None if the dataset has no path.
    """
    method = getattr(dataset, "fingerprint", None)
    if method is not None:
        digest: str | None = method()
        return digest
    location = dataset_location(dataset)
    return None if location is None else path_digest(*location) or ABSENT


def path_digest(filesystem: AbstractFileSystem, path: str) -> str | None:
    """Compute the digest of a file, or of the names and contents of a folder.

    In S3, the ETags are used, so that objects are not downloaded.

    Returns:
        32 hexadecimal digits; None if the file or folder does not exist.
    """
    if isinstance(filesystem, LocalFileSystem):
        root = Path(path)
        if root.is_file():
            return fingerprint_file(root)
        files = {file.relative_to(root).as_posix(): file for file in root.rglob("*") if file.is_file()}
        return fingerprint({name: fingerprint_file(file) for name, file in files.items()}) if root.is_dir() else None
    filesystem.invalidate_cache(path)
    try:
        objects = filesystem.find(path, detail=True)
    except FileNotFoundError:
        return None
    root_length = len(filesystem.info(path)["name"]) if objects else 0
    digests = {name[root_length:]: _object_digest(filesystem, name, entry) for name, entry in objects.items()}
    return fingerprint(digests) if digests else None


def _object_digest(filesystem: AbstractFileSystem, name: str, entry: dict[str, Any]) -> str:
    return str(entry["ETag"]) if "ETag" in entry else fingerprint_bytes(filesystem.cat_file(name))
