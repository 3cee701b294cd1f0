"""The gallery's access to the project's Kedro catalog."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kedro.io import DataCatalog, DatasetError
from kedro.validation import DataValidationError

from video_recommender.gallery.project_data import CREATED_BY, UnreadableDataError
from video_recommender.incremental.dataset_location import dataset_location
from video_recommender.storage.partitions import Partitions

READ_ERRORS: Final = (DatasetError, DataValidationError, OSError, ValueError, ImportError, AttributeError)
"""A pickle of another version raises the last three."""


class CatalogData:
    """A `DataSource` that reads from the project's catalog.

    Args:
        catalog: of the project.
        root: the project's folder, which relative paths of the catalog start from.
    """

    def __init__(self, catalog: DataCatalog, root: Path) -> None:
        self._catalog = catalog
        # A catalog creates datasets on first access, which is not thread-safe: access all of them now.
        self._paths = {name: root / _local_path(catalog[name]) for name in catalog if name in CREATED_BY}

    def path(self, name: str) -> Path:
        """See `DataSource`."""
        return self._paths[name]

    def load(self, name: str) -> Any:
        """See `DataSource`."""
        loaded = _read(lambda: self._catalog.load(name))
        if not isinstance(loaded, Partitions):
            return loaded
        return Partitions(loaded.states, lambda video_id: _read(loaded[video_id]))


def _local_path(dataset: Any) -> str:
    location = dataset_location(dataset)
    if location is None:
        raise ValueError(f"{type(dataset).__name__} has no file: the gallery shows only datasets that are saved")
    return location[1]


def _read(load: Callable[[], Any]) -> Any:
    try:
        return load()
    except READ_ERRORS as error:
        lines = str(error).strip().splitlines()
        raise UnreadableDataError(lines[-1] if lines else type(error).__name__) from error
