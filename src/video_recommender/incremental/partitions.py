"""What is kept per video, how it came about, and which of it a run must make again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_string_dtype, union_categoricals

T = TypeVar("T")

Detail = str | int | float | bool | None


@dataclass(frozen=True)
class PartitionRecord:
    """How one partition came about.

    Attributes:
        fingerprint: digest of the input and of the parameters that it was made from.
        status: `ok`, or what is wrong in one word.
        error: what is wrong in a sentence; empty when all is well.
        details: what the stage has found out on the way, such as the number of frames.
    """

    fingerprint: str
    status: str = "ok"
    error: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether the partition has content."""
        return self.status == "ok"


RECORDS = ".records"
"""The hidden folder beside partitions that holds their records."""

UNFINISHED = PartitionRecord(fingerprint="", status="unfinished", error="The run was stopped while it saved this")


@dataclass(frozen=True)
class Partition(Generic[T]):
    """One partition to be saved.

    Attributes:
        record: how it came about.
        content: the data; None where the record tells why there is none.
    """

    record: PartitionRecord
    content: T | None = None


@dataclass(frozen=True)
class StoredPartition(Generic[T]):
    """One saved partition; its content stays where it is until asked for.

    Attributes:
        record: how it came about.
        load: reads the content.
    """

    record: PartitionRecord
    load: Callable[[], T]


Keep: TypeAlias = Callable[[str, Partition[Any]], "Partition[Any] | StoredPartition[Any]"]
"""Saves the partition of a `video_id` where it was made, and tells what is left to be passed on."""


def in_hand(video_id: str, partition: Partition[T]) -> Partition[T]:
    """Keep a partition in memory: whoever gets it saves it."""
    del video_id
    return partition


PARTITIONS_PER_BLOCK: Final = 1000

ReadTables: TypeAlias = Callable[[Sequence[str]], pd.DataFrame]
"""Reads the tables of some partitions into one, as `Partitions.blocks` gives it."""
BeginReading: TypeAlias = Callable[[], ReadTables]
"""Looks at what is there now, once before many are read."""


class Partitions(Mapping[str, StoredPartition[T]]):
    """Everything that a stage has saved, by `video_id`, in alphabetical order.

    Args:
        stored: the saved partitions by `video_id`.
        keep: picklable; saves another one beside them, from any worker.
        begin_reading: a faster way to read many than one after the other; None where there is none.
    """

    def __init__(
        self,
        stored: Mapping[str, StoredPartition[T]] | None = None,
        keep: Keep = in_hand,
        begin_reading: BeginReading | None = None,
    ) -> None:
        self._stored = dict(sorted((stored or {}).items()))
        self.keep = keep
        self._begin_reading = begin_reading

    def __getitem__(self, video_id: str) -> StoredPartition[T]:
        return self._stored[video_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def usable(self) -> "Partitions[T]":
        """Those that have content."""
        return self.only(video_id for video_id, stored in self.items() if stored.record.is_ok)

    def only(self, video_ids: Iterable[str]) -> "Partitions[T]":
        """Those of these videos."""
        return Partitions({video_id: self[video_id] for video_id in video_ids}, self.keep, self._begin_reading)

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Read all contents, which are tables, a thousand at a time, so that memory does not grow with their number.

        Yields:
            The rows of a thousand partitions, in their order, with the column `video_id` before the others. It and all
            text are categorical: a name that comes often is kept once.
        """
        names = list(self)
        read = self._begin_reading() if self._begin_reading else self._read_one_by_one
        for start in range(0, len(names), PARTITIONS_PER_BLOCK):
            yield read(names[start : start + PARTITIONS_PER_BLOCK])

    def table(self, columns: Sequence[str]) -> pd.DataFrame:
        """Put all contents, which are tables, into one.

        Args:
            columns: which to give.

        Returns:
            The rows of all partitions, in their order; text is categorical, see `blocks`.
        """
        blocks = [block[list(columns)] for block in self.blocks()]
        if not blocks:
            return pd.DataFrame(columns=list(columns))
        return pd.DataFrame({column: _joined([block[column] for block in blocks]) for column in columns})

    def _read_one_by_one(self, names: Sequence[str]) -> pd.DataFrame:
        tables: list[Any] = [self._stored[name].load() for name in names]
        numbers = [number for number, table in enumerate(tables) for _ in range(len(table))]
        rows: pd.DataFrame = pd.concat(tables, ignore_index=True)
        for name, column in rows.items():
            if is_string_dtype(column):
                rows[name] = pd.Categorical(column, categories=pd.Index(column.unique(), dtype="str"))
        rows.insert(0, "video_id", owners(names, numbers))
        return rows

    def made_together_with(self, *others: "Partitions[Any]") -> "Partitions[T]":
        """All that was saved in one step, these and others; where they do not agree, the step was not finished."""
        steps = (self, *others)
        unfinished = {
            video_id: StoredPartition(UNFINISHED, stored.load) for step in steps for video_id, stored in step.items()
        }
        agreed = {
            video_id: stored
            for video_id, stored in self.items()
            if all(other.has(video_id, stored.record.fingerprint) for other in others)
        }
        return Partitions({**unfinished, **agreed}, self.keep, self._begin_reading)

    def has(self, video_id: str, fingerprint: str) -> bool:
        """Whether this partition was already made from exactly this input."""
        return video_id in self._stored and self._stored[video_id].record.fingerprint == fingerprint


PartitionUpdates = dict[str, Partition[Any] | StoredPartition[Any] | None]
"""What to save by `video_id`, or what a worker has saved already; None deletes a partition whose video is gone."""


def records_table(partitions: Partitions[Any], columns: Sequence[str]) -> pd.DataFrame:
    """Put the records of all partitions into one table.

    Args:
        partitions: their contents are not looked at.
        columns: which to give: `video_id`, `status`, `error`, `fingerprint`, or one of the records' details.

    Returns:
        A row per partition, in their order; empty where a record lacks the detail.
    """
    rows = [
        {
            **stored.record.details,
            "video_id": video_id,
            "status": stored.record.status,
            "error": stored.record.error,
            "fingerprint": stored.record.fingerprint,
        }
        for video_id, stored in partitions.items()
    ]
    return pd.DataFrame(rows, columns=list(columns))


def owners(video_ids: Sequence[str], numbers: Sequence[int] | NDArray[np.int64]) -> "pd.Series[Any]":
    """Tell of which video each row is, as the column `video_id` of `Partitions.blocks`.

    Args:
        video_ids: the videos of a block.
        numbers: of each row, the place of its video among these.

    Returns:
        Categorical, one per row.
    """
    return pd.Series(pd.Categorical.from_codes(numbers, categories=pd.Index(list(video_ids), dtype="str")))


def _joined(parts: list["pd.Series[Any]"]) -> "pd.Series[Any]":
    if isinstance(parts[0].dtype, pd.CategoricalDtype):
        return pd.Series(union_categoricals(parts))
    return pd.concat(parts, ignore_index=True)
