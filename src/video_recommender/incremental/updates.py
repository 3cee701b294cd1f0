"""Bring a stage's partitions up to date: delete what has lost its video, make what is new or changed, keep the rest."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from video_recommender.incremental.parallel import WorkerOptions, map_videos
from video_recommender.incremental.partitions import (
    Detail,
    Keep,
    Partition,
    PartitionRecord,
    Partitions,
    PartitionUpdates,
    StoredPartition,
)

PASSING = frozenset({"failed", "crashed", "damaged", "missing"})
"""What is wrong with a video for reasons that need not be its own."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Planned(Generic[T]):
    """A partition that should exist.

    Attributes:
        fingerprint: digest of the input and of the parameters that matter.
        task: what to make it from; it crosses the process border, so it holds paths and small tables.
        details: what is known of it beforehand, for its record.
    """

    fingerprint: str
    task: T
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True)
class Made(Generic[R]):
    """A partition that has been made.

    Attributes:
        content: the data.
        details: what was found out on the way, for its record.
    """

    content: R
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """What of a result goes to one dataset.

    Attributes:
        stored: what earlier runs have left there.
        choose: picklable; takes the part out of the content.
    """

    stored: Partitions[Any]
    choose: Callable[[Any], Any]


def bring_up_to_date(
    planned: Mapping[str, Planned[T]],
    stored: Partitions[Any],
    make: Callable[[T], Made[R]],
    workers: WorkerOptions,
    description: str,
) -> Iterator[PartitionUpdates]:
    """Make, in parallel, the partitions that are missing or were made from something else.

    A video that is of no use is not tried again until its input or a parameter changes: its fingerprint says so. One
    that failed for another reason, such as a full disk or an unplugged one, is tried again each time.

    Args:
        planned: every partition that should exist, by `video_id`.
        stored: what earlier runs have left; the worker that makes a partition keeps it there.
        make: picklable; makes one partition.
        workers: see `WorkerOptions`.
        description: what the progress bar says.

    Yields:
        First the deletions (an empty update if there are none), then one partition at a time as it is made.
    """
    for (updates,) in bring_parts_up_to_date(planned, [Part(stored, _whole)], make, workers, description):
        yield updates


def bring_parts_up_to_date(
    planned: Mapping[str, Planned[T]],
    parts: Sequence[Part],
    make: Callable[[T], Made[R]],
    workers: WorkerOptions,
    description: str,
) -> Iterator[tuple[PartitionUpdates, ...]]:
    """Do the same where parts of each result go to several datasets.

    Args:
        planned: every partition that should exist, by `video_id`.
        parts: a video is made anew unless all of its parts were saved in one step.
        make: picklable; makes the content of all parts.
        workers: see `WorkerOptions`.
        description: what the progress bar says.

    Yields:
        The same, an update for each part.
    """
    complete = parts[0].stored.made_together_with(*(part.stored for part in parts[1:]))
    yield tuple(dict.fromkeys(complete.keys() - planned.keys()) for _ in parts)
    tasks = {
        video_id: _Task(video_id, plan) for video_id, plan in planned.items() if not _is_done(video_id, plan, complete)
    }
    make_and_keep = _MakeAndKeep(make, tuple((part.stored.keep, part.choose) for part in parts))
    for outcome in map_videos(make_and_keep, tasks, workers, description):
        if outcome.result is not None:
            yield tuple({outcome.video_id: kept} for kept in outcome.result)
        else:
            plan = planned[outcome.video_id]
            record = PartitionRecord(plan.fingerprint, outcome.status, outcome.error, plan.details)
            yield tuple({outcome.video_id: Partition(record)} for _ in parts)


@dataclass(frozen=True)
class _Task(Generic[T]):
    video_id: str
    plan: Planned[T]


@dataclass(frozen=True)
class _MakeAndKeep(Generic[T, R]):
    """What a worker does with a video: the results, large as they may be, go from it straight to where they belong."""

    make: Callable[[T], Made[R]]
    keepers: tuple[tuple[Keep, Callable[[R], Any]], ...]

    def __call__(self, task: _Task[T]) -> tuple[Partition[Any] | StoredPartition[Any], ...]:
        made = self.make(task.plan.task)
        record = PartitionRecord(task.plan.fingerprint, details={**task.plan.details, **made.details})
        return tuple(keep(task.video_id, Partition(record, choose(made.content))) for keep, choose in self.keepers)


def _whole(content: R) -> R:
    return content


def _is_done(video_id: str, plan: Planned[Any], stored: Partitions[Any]) -> bool:
    return stored.has(video_id, plan.fingerprint) and stored[video_id].record.status not in PASSING
