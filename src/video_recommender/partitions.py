"""What is kept per video, how it came about, and which of it a run must make again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import pandas as pd

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


class Partitions(Mapping[str, StoredPartition[T]]):
    """Everything that a stage has saved, by `video_id`, in alphabetical order.

    Args:
        stored: the saved partitions by `video_id`.
        keep: picklable; saves another one beside them, from any worker.
    """

    def __init__(self, stored: Mapping[str, StoredPartition[T]] | None = None, keep: Keep = in_hand) -> None:
        self._stored = dict(sorted((stored or {}).items()))
        self.keep = keep

    def __getitem__(self, video_id: str) -> StoredPartition[T]:
        return self._stored[video_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def usable(self) -> "Partitions[T]":
        """Those that have content."""
        return Partitions({video_id: stored for video_id, stored in self.items() if stored.record.is_ok})

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
        return Partitions({**unfinished, **agreed})

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
