"""Saving under another name first, so that whoever looks finds the old content or the new, never half of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from fsspec import AbstractFileSystem
from kedro.io import AbstractDataset

PREFIX = ".part-"


@contextmanager
def written_aside(dataset: AbstractDataset) -> Iterator[None]:
    """Let a dataset save beside its place and move the result there once it is complete.

    Args:
        dataset: any dataset that keeps one file or folder, as those of `kedro_datasets` do; others are left alone.

    Yields:
        While it saves.
    """
    place = vars(dataset).get("_filepath")
    if place is None:
        yield
        return
    filesystem: AbstractFileSystem = dataset._fs
    aside = PurePosixPath(place).with_name(f"{PREFIX}{PurePosixPath(place).name}")
    _remove(filesystem, aside)
    dataset._filepath = aside
    try:
        yield
        if filesystem.isdir(str(place)):
            _remove(filesystem, place)
        filesystem.mv(str(aside), str(place), recursive=filesystem.isdir(str(aside)))
    finally:
        dataset._filepath = place
        _remove(filesystem, aside)


def _remove(filesystem: AbstractFileSystem, place: PurePosixPath) -> None:
    if filesystem.lexists(str(place)):
        filesystem.rm(str(place), recursive=filesystem.isdir(str(place)))
