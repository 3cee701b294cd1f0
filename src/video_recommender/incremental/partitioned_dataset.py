"""A partitioned dataset that stores the state of each partition."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd
from kedro.io import AbstractDataset
from kedro.io.core import get_protocol_and_path, parse_dataset_definition
from kedro_datasets._typing import TablePreview

from video_recommender.incremental.partition_store import PartitionStore, check_key
from video_recommender.incremental.state_log import Row, StateLog
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import (
    LOST,
    STATE_FOLDER,
    UNFINISHED,
    Partition,
    Partitions,
    PartitionState,
    Update,
    storable,
)

CONFLICT: Final = "conflict"  # status of a partition whose path has a file that no run created

PARQUET: Final = "kedro_datasets.pandas.parquet_dataset.ParquetDataset"
"""Compared by name, because importing it imports SQLAlchemy, which slows down the start of each worker."""

logger = logging.getLogger(__name__)


class StatefulPartitionedDataset(AbstractDataset[Update, Partitions[Any]]):
    """Stores a value and a state row per key: fingerprint, status, error, digest and properties.

    Unlike `kedro_datasets.partitions.PartitionedDataset`, `save` changes only the partitions of the update, and deletes
    those that are None. A partition is valid only if the status in its state row is `ok`; it is `unfinished` while the
    value is replaced. Files that no run created are never overwritten. State rows are in `.state`, see `StateLog`.

    Examples:
        ```yaml
        detections:
          type: video_recommender.incremental.StatefulPartitionedDataset
          path: data/03_primary/detections
          filename_suffix: .parquet
          dataset: pandas.ParquetDataset
          schema: video_recommender.schemas.Detections
        ```

        >>> import pandas as pd
        >>> from video_recommender.incremental import StatefulPartitionedDataset
        >>> dataset = StatefulPartitionedDataset(
        ...     path=f"{tmp_path}/tables", filename_suffix=".csv", dataset="pandas.CSVDataset"
        ... )
        >>> dataset.save({"pets/cat": pd.DataFrame({"frame": [1, 2]})})
        >>> dataset.load()["pets/cat"]()["frame"].tolist()
        [1, 2]
        >>> dataset.save({"pets/cat": None})
        >>> len(dataset.load())
        0
    """

    def __init__(
        self,
        *,
        path: str,
        dataset: str | dict[str, Any],
        filename_suffix: str = "",
        schema: str | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Create the dataset.

        Args:
            path: folder of the partitions.
            dataset: dataset of one partition, as in `PartitionedDataset`.
            filename_suffix: suffix of the file names.
            schema: import path of the pandera model that every partition must satisfy when it is saved.
            credentials: options of the file system.
            metadata: metadata for plug-ins, such as kedro-viz.
        """
        protocol, root = get_protocol_and_path(path)
        partition_type, options = parse_dataset_definition(dataset if isinstance(dataset, dict) else {"type": dataset})
        self.store = PartitionStore(
            protocol=protocol,
            root=PurePosixPath(root),
            suffix=filename_suffix,
            dataset={"type": partition_type, **options},
            schema=schema or "",
            storage_options=credentials or {},
        )
        self._reads_parquet = not options and f"{partition_type.__module__}.{partition_type.__qualname__}" == PARQUET
        self._log = StateLog(self.store.filesystem, str(self.store.root / STATE_FOLDER))
        self.metadata = metadata

    def load(self) -> Partitions[Any]:
        """Read the state of every partition; values are loaded lazily."""
        states = dict(self._log.read())
        for key in self.store.missing(key for key, state in states.items() if state.is_ok):
            states[key] = LOST
        return Partitions(states, self.store.load, self.store.read_parquet if self._reads_parquet else None)

    def save(self, data: Update) -> None:
        """Add, replace or delete the partitions of an update; all others are unchanged.

        Raises:
            DatasetError: if a value does not satisfy the schema; nothing is saved.
        """
        partitions = {
            key: value if isinstance(value, Partition) else Partition(PartitionState(), value)
            for key, value in data.items()
            if value is not None
        }
        values = {
            key: self.store.validate(key, part.value) for key, part in partitions.items() if part.value is not None
        }
        self._log.read()
        self.delete(key for key, value in data.items() if value is None)
        rows: dict[str, Row] = dict(self.find_conflicts(partitions))
        accepted = [key for key in partitions if key not in rows]
        self.begin(accepted)
        try:
            for key in accepted:
                state = partitions[key].state
                rows[key] = state._replace(digest=self.store.write(key, values[key])) if key in values else state
        finally:
            self.commit(rows)

    def find_conflicts(self, keys: Iterable[str]) -> dict[str, PartitionState]:
        """Find partitions that cannot be saved because a file that no run created exists at their path.

        Returns:
            The state of each conflict, by key.

        Raises:
            ValueError: if a key cannot be part of a path.
        """
        states = self._log.states
        unknown = [key for key in keys if key not in states or states[key].status == CONFLICT]
        for key in unknown:
            check_key(key)
        taken = sorted(set(unknown) - self.store.missing(unknown))
        if taken:
            logger.warning(
                "%d files in %s were not created by a run and are not overwritten, including %s: move them",
                len(taken),
                self.store.root,
                self.store.path(taken[0]).name,
            )
        return {key: self._conflict(key) for key in taken}

    def begin(self, keys: Iterable[str]) -> None:
        """Mark partitions as unfinished before they are added or replaced."""
        unfinished = UNFINISHED._replace(fingerprint=self.store.run)
        rows: dict[str, Row] = dict.fromkeys(keys, unfinished)
        for key in rows:
            self._discard_unfinished(key)
        self._log.append(rows)
        self._log.flush()

    def delete(self, keys: Iterable[str]) -> None:
        """Delete partitions; files that no run created are kept."""
        states = self._log.states
        known = [key for key in keys if key in states]
        for key in known:
            self._discard_unfinished(key)
            if states[key].status != CONFLICT:
                self.store.delete(key)
        self._log.append(dict.fromkeys(known))
        self._log.flush()

    def commit(self, rows: Mapping[str, Row]) -> None:
        """Store states, and delete the values of partitions whose status is not `ok`."""
        for key, row in rows.items():
            if row is not None and not row.is_ok and row.status != CONFLICT:
                self.store.delete(key)
        self._log.append(rows)
        self._log.flush()

    def compact(self) -> None:
        """Compact the state log if many of its rows are outdated."""
        self._log.compact()

    def fingerprint(self) -> str:
        """Compute the digest of the values, statuses, errors and properties of all partitions."""
        states = self.load().states
        rows: list[Any] = [
            [key, state.status, state.error, state.digest, dict(state.properties)] for key, state in states.items()
        ]
        return fingerprint(*rows)

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the first rows of keys, statuses and properties, for kedro-viz."""
        states = list(self.load().states.items())[:nrows]
        rows = pd.DataFrame([{"key": key, "status": state.status, **state.properties} for key, state in states])
        return TablePreview(json.loads(rows.to_json(orient="split", index=False)))

    def _discard_unfinished(self, key: str) -> None:
        state = self._log.states.get(key)
        if state is not None and state.status == UNFINISHED.status and state.fingerprint not in {"", self.store.run}:
            self.store.discard(key, state.fingerprint)

    def _conflict(self, key: str) -> PartitionState:
        error = f"{self.store.path(key)} was not created by a run and is not overwritten: move it to another folder"
        return PartitionState(status=CONFLICT, error=storable(error), retry=True)

    def _exists(self) -> bool:
        return bool(self.store.filesystem.isdir(str(self.store.root / STATE_FOLDER)))

    def _describe(self) -> dict[str, Any]:
        partition_type: Any = self.store.dataset["type"]
        return {
            "path": str(self.store.root),
            "dataset": partition_type.__name__,
            "filename_suffix": self.store.suffix,
        }
