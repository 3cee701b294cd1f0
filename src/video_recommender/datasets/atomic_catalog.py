"""A Kedro catalog in which whoever looks finds the old content of a dataset or the new, never half of it."""

from typing import Any

from kedro.io import DataCatalog

from video_recommender.storage.atomic_write import written_aside


class WriteAsideCatalog(DataCatalog):
    """Saves every dataset that keeps a file under another name first, and moves it into place once it is complete."""

    def save(self, ds_name: str, data: Any) -> None:
        """Save data to a registered dataset."""
        with written_aside(self[ds_name]):
            super().save(ds_name, data)
