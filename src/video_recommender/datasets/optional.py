"""A dataset that need not be there."""

from typing import Any

from kedro.io import AbstractDataset

from video_recommender.incremental.stored_digest import stored_digest


class OptionalDataset(AbstractDataset[Any, Any]):
    """Wraps a dataset that only some runs make: where it was never made, None is loaded.

    So a node can take what several pipelines make and use what there is, and the lineage shows all of it.

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
        """Create the dataset.

        Args:
            dataset: definition of the wrapped dataset, as in the catalog: one that keeps a file.
            metadata: for other tools, such as kedro-viz.
        """
        wrapped: Any = AbstractDataset.from_config("optional", dict(dataset))
        self._dataset = wrapped
        self._filepath = wrapped._filepath
        self._fs = wrapped._fs
        self.metadata = metadata

    def load(self) -> Any:
        """Load with the wrapped dataset; None if nothing was saved yet."""
        return self._dataset.load() if self._dataset.exists() else None

    def save(self, data: Any) -> None:
        """Save with the wrapped dataset."""
        self._dataset.save(data)

    def fingerprint(self) -> str:
        """Digest the content; also that there is none is worth knowing."""
        return stored_digest(self._fs, self._filepath) or "absent"

    def _exists(self) -> bool:
        return bool(self._dataset.exists())

    def _describe(self) -> dict[str, Any]:
        return dict(self._dataset._describe())
