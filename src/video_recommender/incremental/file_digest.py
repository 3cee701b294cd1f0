"""Digests of files and folders, on a local disk and in an object store."""

from pathlib import Path
from typing import Any, Final

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset

from video_recommender.incremental.dataset_location import dataset_location
from video_recommender.storage.digests import fingerprint, fingerprint_bytes, fingerprint_file

ABSENT: Final = "absent"
"""The digest of a file that does not exist."""


def dataset_digest(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Digest what a dataset stores.

    Returns:
        What its method `fingerprint` returns if it has one, else the digest of its file or folder; `ABSENT` if there is
        no file; None if the dataset keeps no file.
    """
    method = getattr(dataset, "fingerprint", None)
    if method is not None:
        digest: str | None = method()
        return digest
    location = dataset_location(dataset)
    return None if location is None else path_digest(*location) or ABSENT


def path_digest(filesystem: AbstractFileSystem, path: str) -> str | None:
    """Digest a file, or the names and contents of a folder.

    Of objects in a store, what the store knows of their contents (S3: the ETags) is enough, so that they need not be
    fetched.

    Returns:
        The digest; None if there is no such file or folder.
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
