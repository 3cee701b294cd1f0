"""A partitioned dataset that knows how each of its partitions came about."""

import json
import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path, parse_dataset_definition
from kedro.utils import load_obj
from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import ParquetDataset

from video_recommender.incremental.partitions import (
    RECORDS,
    UNFINISHED,
    Partition,
    PartitionRecord,
    Partitions,
    PartitionUpdates,
    ReadTables,
    StoredPartition,
    owners,
)
from video_recommender.incremental.record_copy import COPIES, FolderRecords, parse_record, prefix_of, read_records
from video_recommender.incremental.table_copies import CopiedTables, is_text, read_parquet
from video_recommender.storage.atomic_write import staging_paths
from video_recommender.storage.digests import fingerprint

LOST = PartitionRecord(fingerprint="", status="unfinished", error="Its content is gone: run the stage again")


class RecordedPartitionedDataset(AbstractDataset[PartitionUpdates, Partitions[Any]]):
    """Keeps a partition per video, and beside each a record: its fingerprint, status, error and details.

    It differs from `kedro_datasets.partitions.PartitionedDataset` in what a run that may be stopped at any moment
    needs: saving adds and replaces only the partitions handed to it (so a generator node can save one at a time), None
    deletes one, and a partition counts only once it is complete. The record says `unfinished` while its content is
    being replaced, and when the content is gone or the record itself is damaged. A file that is in the way but has no
    record is somebody's own: it is never overwritten nor deleted.

    Examples:
        ```yaml
        detections:
          type: video_recommender.datasets.RecordedPartitionedDataset
          path: data/03_primary/detections
          filename_suffix: .parquet
          dataset: pandas.ParquetDataset
          schema: video_recommender.schemas.Detections
        ```

        >>> import pandas as pd
        >>> from video_recommender.datasets import RecordedPartitionedDataset
        >>> from video_recommender.incremental.partitions import Partition, PartitionRecord
        >>> dataset = RecordedPartitionedDataset(
        ...     path=f"{tmp_path}/tables", filename_suffix=".csv", dataset="pandas.CSVDataset"
        ... )
        >>> dataset.save({"pets/cat": Partition(PartitionRecord("f1"), pd.DataFrame({"frame": [1, 2]}))})
        >>> dataset.load()["pets/cat"].load()["frame"].tolist()
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
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Create the dataset.

        Args:
            path: the folder that holds the partitions, and their records in a hidden folder.
            dataset: how one partition is saved and loaded, as in `PartitionedDataset`.
            filename_suffix: what every partition's file name ends in.
            schema: import path of the pandera model that every partition must fulfil when it is saved.
            metadata: for other tools, such as kedro-viz.
        """
        protocol, root = get_protocol_and_path(path)
        # a store is asked each time, because workers on other machines write there too
        self._fs = fsspec.filesystem(protocol, use_listings_cache=False)
        self._path = PurePosixPath(root)
        self._protocol = protocol
        self._is_local = isinstance(self._fs, LocalFileSystem)  # many times as fast without fsspec's detour
        self._partition_type, self._partition_config = parse_dataset_definition(
            dataset if isinstance(dataset, dict) else {"type": dataset}
        )
        self._suffix = filename_suffix
        self._schema_path = schema
        self.metadata = metadata

    def load(self) -> Partitions[Any]:
        """Read every record; contents stay where they are until asked for."""
        has_plain_tables = self._partition_type is ParquetDataset and not self._partition_config
        return Partitions(
            {video_id: self._stored(video_id, record) for video_id, record in self._records()},
            self.keep,
            self._begin_reading if has_plain_tables else None,
        )

    def save(self, data: PartitionUpdates) -> None:
        """Add, replace or delete the partitions that are handed over; leave all others alone.

        Raises:
            DatasetError: if a content does not fulfil the schema, or a file that is no partition lies in its place;
                nothing of it is saved.
        """
        for video_id, partition in data.items():
            if partition is None:
                self._delete(video_id)
            elif isinstance(partition, Partition):
                self._save_one(video_id, partition)

    def keep(self, video_id: str, partition: Partition[Any]) -> StoredPartition[Any]:
        """Save one partition, perhaps in a worker; to save what is given back changes nothing."""
        self._save_one(video_id, partition)
        return self._stored(video_id, partition.record)

    def fingerprint(self) -> str:
        """Digest what is kept: equal if and only if every partition came about in the same way."""
        return fingerprint(*([video_id, record.status, record.fingerprint] for video_id, record in self._records()))

    def preview(self, nrows: int = 20) -> TablePreview:
        """The first partitions with their records, for kedro-viz."""
        rows = [
            {"video_id": video_id, "status": record.status, **record.details} for video_id, record in self._records()
        ]
        return TablePreview(json.loads(pd.DataFrame(rows[:nrows]).to_json(orient="split", index=False)))

    def _save_one(self, video_id: str, partition: Partition[Any]) -> None:
        content = partition.content
        if content is not None and self._schema_path is not None:
            content = self._validated(video_id, content)
        self._begin(video_id)
        if content is None:
            self._remove_content(video_id)
        else:
            dataset = self._partition(video_id)
            self._make_folder(dataset._filepath.parent)
            # in a store nothing is moved; until the record is there, the content counts for nothing
            if self._is_local:
                from video_recommender.datasets.atomic_catalog import staged_dataset

                with staged_dataset(dataset) as staged:
                    staged.save(content)
            else:
                dataset.save(content)
        self._write_record(video_id, partition.record)

    def _delete(self, video_id: str) -> None:
        self._begin(video_id)
        self._remove_content(video_id)
        self._fs.rm(str(self._record_path(video_id)))

    def _begin(self, video_id: str) -> None:
        place = self._place(video_id)
        if self._fs.lexists(str(place)) and not self._fs.exists(str(self._record_path(video_id))):
            raise DatasetError(f"{place} was not made by a run and would be overwritten: move it to another folder")
        self._write_record(video_id, UNFINISHED)

    def _remove_content(self, video_id: str) -> None:
        place = self._place(video_id)
        for leftover in (place, *staging_paths(place)):
            if self._fs.lexists(str(leftover)):
                self._fs.rm(str(leftover), recursive=self._fs.isdir(str(leftover)))

    def _stored(self, video_id: str, record: PartitionRecord) -> StoredPartition[Any]:
        return StoredPartition(record, partial(self._load_content, video_id))

    def _load_content(self, video_id: str) -> Any:
        return self._partition(video_id).load()

    def _begin_reading(self) -> ReadTables:
        copies = Path(self._path) / RECORDS / COPIES
        read = CopiedTables(Path(self._path), self._suffix, copies).read if self._is_local else self._fetch_tables
        return lambda video_ids: _as_block(video_ids, read(video_ids))

    def _fetch_tables(self, video_ids: Sequence[str]) -> list[pa.Table]:
        return [read_parquet(content) for content in self._fetch([str(self._place(name)) for name in video_ids])]

    def _partition(self, video_id: str) -> Any:
        place = str(self._place(video_id))
        filepath = place if self._is_local else f"{self._protocol}://{place}"
        partition_type: Any = self._partition_type
        return partition_type(filepath=filepath, **deepcopy(self._partition_config))

    def _place(self, video_id: str) -> PurePosixPath:
        return self._path / f"{video_id}{self._suffix}"

    def _validated(self, video_id: str, content: pd.DataFrame) -> pd.DataFrame:
        from pandera.errors import SchemaError, SchemaErrors

        schema = load_obj(str(self._schema_path))
        try:
            validated: pd.DataFrame = schema.validate(content)
        except (SchemaError, SchemaErrors) as error:
            raise DatasetError(f"{video_id} does not fulfil {schema.__name__} and was not saved: {error}") from error
        return validated

    def _records(self) -> Iterator[tuple[str, PartitionRecord]]:
        root = self._path / RECORDS
        for prefix, records in read_records(Path(root)) if self._is_local else self._fetch_records(str(root)):
            there = self._names(self._path / prefix)
            for slug, record in records.items():
                is_lost = record.is_ok and f"{slug}{self._suffix}" not in there
                yield f"{prefix}{slug}", LOST if is_lost else record

    def _fetch_records(self, root: str) -> Iterator[tuple[str, FolderRecords]]:
        for folder, _, names in sorted(self._fs.walk(root)):
            records = sorted(name for name in names if name.endswith(".json") and not name.startswith("."))
            contents = self._fetch([f"{folder}/{name}" for name in records])
            yield (
                prefix_of(PurePosixPath(folder).relative_to(root)),
                {
                    name.removesuffix(".json"): parse_record(content)
                    for name, content in zip(records, contents, strict=True)
                },
            )

    def _names(self, folder: PurePosixPath) -> set[str]:
        try:
            if self._is_local:
                return {entry.name for entry in os.scandir(folder)}
            return {PurePosixPath(place).name for place in self._fs.ls(str(folder), detail=False)}
        except FileNotFoundError:
            return set()

    def _fetch(self, files: list[str]) -> Iterator[bytes]:
        """Read all at once, because a store takes its time to answer; each in one piece."""
        contents = self._fs.cat(files, max_concurrency=1) if files else {}
        yield from (contents[self._fs._strip_protocol(file)] for file in files)

    def _record_path(self, video_id: str) -> PurePosixPath:
        return self._path / RECORDS / f"{video_id}.json"

    def _make_folder(self, folder: PurePosixPath) -> None:
        if self._is_local:  # a store has none, and would only be asked for its bucket
            self._fs.makedirs(str(folder), exist_ok=True)

    def _write_record(self, video_id: str, record: PartitionRecord) -> None:
        place = self._record_path(video_id)
        aside = place.with_name(f".part-{place.name}") if self._is_local else place  # a store puts files as a whole
        self._make_folder(place.parent)
        self._fs.pipe_file(str(aside), json.dumps(asdict(record), ensure_ascii=False).encode())
        if aside != place:
            self._fs.mv(str(aside), str(place))

    def _exists(self) -> bool:
        return bool(self._fs.isdir(str(self._path / RECORDS)))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "dataset": self._partition_type.__name__, "filename_suffix": self._suffix}


def _as_block(video_ids: Sequence[str], tables: Sequence[pa.Table]) -> pd.DataFrame:
    rows = pa.concat_tables(tables).combine_chunks()
    for number, field in enumerate(rows.schema):
        if is_text(field.type):
            rows = rows.set_column(number, field.name, rows[field.name].dictionary_encode())
    table: pd.DataFrame = rows.to_pandas()
    table.insert(0, "video_id", owners(video_ids, np.repeat(np.arange(len(tables)), [len(one) for one in tables])))
    return table
