"""A dataset whose library is imported only once its content is needed."""

from pathlib import PurePosixPath
from typing import Any

import fsspec
from kedro.io.core import (
    VERSIONED_FLAG_KEY,
    AbstractDataset,
    DatasetError,
    get_protocol_and_path,
)

from video_recommender.console_output import silent_stderr
from video_recommender.storage.atomic_write import written_aside


class DeferredDataset(AbstractDataset[Any, Any]):
    """``DeferredDataset`` wraps another dataset and imports it at the first load or save.

    Kedro and Kedro-Viz build every dataset of the catalog when they start. Where that imports a heavy
    library (TensorFlow takes several seconds), a run that does not need it waits for nothing.

    Examples:
        Using the YAML API:

        ```yaml
        object_network:
          type: video_recommender.datasets.DeferredDataset
          dataset:
            type: tensorflow.TensorFlowModelDataset
            filepath: data/01_raw/object_network.keras
        ```

        Using the Python API:

        >>> from video_recommender.datasets import DeferredDataset
        >>>
        >>> dataset = DeferredDataset(dataset={"type": "json.JSONDataset", "filepath": tmp_path / "ads.json"})
        >>> dataset.exists()
        False
        >>> dataset.save({"seconds": 15})
        >>> dataset.load()
        {'seconds': 15}

    """

    def __init__(self, *, dataset: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Keeps the definition of a dataset without importing anything.

        Args:
            dataset: Definition of the wrapped dataset, as in the catalog; it may not be versioned.
            metadata: Any arbitrary metadata. This is ignored by Kedro, but may be consumed by users or plugins.

        Raises:
            DatasetError: If the wrapped dataset has no type or is versioned.
        """
        if "type" not in dataset:
            raise DatasetError("A deferred dataset needs the `type` of the dataset that it wraps")
        if dataset.get(VERSIONED_FLAG_KEY):
            raise DatasetError("A deferred dataset cannot be versioned")
        self._config = dataset
        self._wrapped: AbstractDataset[Any, Any] | None = None
        self.metadata = metadata

    @property
    def _filepath(self) -> PurePosixPath | None:
        filepath = self._config.get("filepath")
        return PurePosixPath(get_protocol_and_path(filepath)[1]) if filepath else None

    @property
    def _fs(self) -> fsspec.AbstractFileSystem | None:
        if "filepath" not in self._config:
            return None
        protocol, _ = get_protocol_and_path(self._config["filepath"])
        options = {**(self._config.get("credentials") or {}), **(self._config.get("fs_args") or {})}
        return fsspec.filesystem(protocol, **options)

    @property
    def _dataset(self) -> AbstractDataset[Any, Any]:
        if self._wrapped is None:
            with silent_stderr():
                self._wrapped = AbstractDataset.from_config("deferred", dict(self._config))
        return self._wrapped

    def load(self) -> Any:
        """Loads with the wrapped dataset."""
        return self._dataset.load()

    def save(self, data: Any) -> None:
        """Saves with the wrapped dataset."""
        with written_aside(self._dataset):
            self._dataset.save(data)

    def _exists(self) -> bool:
        filesystem = self._fs
        if filesystem is None or self._wrapped is not None:
            return self._dataset.exists()
        return bool(filesystem.exists(str(self._filepath)))

    def _release(self) -> None:
        if self._wrapped is not None:
            self._wrapped.release()

    def _describe(self) -> dict[str, Any]:
        return {key: value for key, value in self._config.items() if key != "credentials"}
