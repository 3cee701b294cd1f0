"""Saving under another name first, so that whoever looks finds the old content or the new, never half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset

PREFIX = ".part-"
OLD = ".old-"


@contextmanager
def written_aside(dataset: AbstractDataset[Any, Any]) -> Iterator[None]:
    """Let a dataset save beside its place and move the result there once it is complete.

    An object store puts every object in place as a whole, and none if saving has failed.

    Args:
        dataset: any dataset that keeps one file or folder, as those of `kedro_datasets` do, also inside a
            `CachedDataset` or `DeferredDataset`; others, and versioned ones, which never overwrite, are left alone.

    Yields:
        While it saves.
    """
    keeper: Any = dataset
    while isinstance(wrapped := getattr(keeper, "_dataset", None), AbstractDataset):
        keeper = wrapped
    place = getattr(keeper, "_filepath", None)
    filesystem: AbstractFileSystem | None = getattr(keeper, "_fs", None)
    if place is None or filesystem is None or getattr(keeper, "_version", None):
        yield
        return
    if not isinstance(filesystem, LocalFileSystem):
        with nullcontext() if filesystem._intrans else filesystem.transaction:
            yield
        return
    aside, old = beside(place)
    _remove(filesystem, aside)
    _remove(filesystem, old)
    keeper._filepath = aside
    try:
        yield
        if filesystem.isdir(str(place)):  # a folder cannot be replaced in one step, nor deleted in one
            filesystem.mv(str(place), str(old), recursive=True)
        filesystem.mv(str(aside), str(place), recursive=filesystem.isdir(str(aside)))
        _remove(filesystem, old)
    finally:
        keeper._filepath = place
        _remove(filesystem, aside)


def replace_file(place: Path, content: bytes | memoryview) -> None:
    """Write a file that others may read and write at the same time: each finds one whole version.

    Args:
        place: where; its folder is made if need be.
        content: what.
    """
    place.parent.mkdir(exist_ok=True)
    aside = place.with_name(f"{PREFIX}{uuid4().hex}-{place.name}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or after a power cut there might be a name without its content
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)


def beside(place: PurePosixPath) -> tuple[PurePosixPath, PurePosixPath]:
    """Tell what a save that was stopped may have left next to the place: the new content, and the old folder."""
    whole = PurePosixPath(place)
    return whole.with_name(f"{PREFIX}{whole.name}"), whole.with_name(f"{OLD}{whole.name}")


def _remove(filesystem: AbstractFileSystem, place: PurePosixPath) -> None:
    if filesystem.lexists(str(place)):
        filesystem.rm(str(place), recursive=filesystem.isdir(str(place)))
