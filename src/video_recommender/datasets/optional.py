"""A dataset that may be missing."""

from typing import Any

from kedro.io import AbstractDataset


class OptionalDataset(AbstractDataset[Any, Any]):
    """Wraps the dataset of an optional pipeline, defined as in the catalog: loads None if it was never saved.

    Examples:
        ```yaml
        segmented_class_embeddings:
          type: video_recommender.datasets.OptionalDataset
          dataset:
            type: pandas.ParquetDataset
            filepath: data/03_primary/segmented_class_embeddings.parquet
        ```

        >>> from video_recommender.datasets import OptionalDataset
        >>> dataset = OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": f"{tmp_path}/ads.json"})
        >>> dataset.load() is None
        True
        >>> dataset.save({"seconds": 15})
        >>> dataset.load()
        {'seconds': 15}
    """

    def __init__(self, *, dataset: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._config = dataset
        self._wrapped: AbstractDataset[Any, Any] = AbstractDataset.from_config("optional", dataset)
        self.metadata = metadata

    def load(self) -> Any:
        """Load the wrapped dataset; None if it does not exist."""
        return self._wrapped.load() if self._wrapped.exists() else None

    def save(self, data: Any) -> None:
        """Save to the wrapped dataset."""
        self._wrapped.save(data)

    def _exists(self) -> bool:
        return self._wrapped.exists()

    def _release(self) -> None:
        self._wrapped.release()

    def _describe(self) -> dict[str, Any]:
        return {name: value for name, value in self._config.items() if name != "credentials"}
