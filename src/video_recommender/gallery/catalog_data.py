"""What the gallery shows, read through the project's Kedro catalog."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog, DatasetError
from kedro.validation import DataValidationError

from video_recommender.gallery.project_data import MADE_BY, BrokenFileError
from video_recommender.incremental.dataset_location import dataset_location
from video_recommender.incremental.partitions import Partitions, StoredPartition

UNREADABLE = (DatasetError, DataValidationError, OSError, ValueError, ImportError, AttributeError)


class CatalogData:
    """See `StoredData`.

    Args:
        catalog: of the project.
        root: the project's folder, from which the catalog's paths are told.
    """

    def __init__(self, catalog: DataCatalog, root: Path) -> None:
        self._catalog = catalog
        self._places = {name: root / _place(catalog[name]) for name in catalog if name in MADE_BY}

    def place(self, name: str) -> Path:
        """See `StoredData`."""
        return self._places[name]

    def load(self, name: str) -> Any:
        """See `StoredData`."""
        loaded = _told(lambda: self._catalog.load(name))
        if not isinstance(loaded, Partitions):
            return loaded
        return Partitions(
            {
                video_id: StoredPartition(stored.record, partial(_told, stored.load))
                for video_id, stored in loaded.items()
            }
        )


def _place(dataset: Any) -> str:
    """Where it lies. A catalog makes its datasets when they are first asked for, which threads must not do at once."""
    _, path = dataset_location(dataset) or (None, "")
    return path


def _told(load: Callable[[], Any]) -> Any:
    try:
        return load()
    except UNREADABLE as error:
        lines = str(error).strip().splitlines()
        raise BrokenFileError(lines[-1] if lines else type(error).__name__) from error
