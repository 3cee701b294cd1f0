"""A Kedro catalog that saves atomically."""

from typing import Any

from kedro.io import DataCatalog

from video_recommender.storage.atomic_write import staged_dataset
from video_recommender.storage.dataset_location import dataset_config


class AtomicCatalog(DataCatalog):
    """A catalog in which a failed or interrupted save leaves the previous content of a dataset."""

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
