"""Bring a stage's partitions up to date: delete what has lost its video, make what is new or changed, keep the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from video_recommender.parallel import WorkerOptions, map_videos
from video_recommender.partitions import Detail, Partition, PartitionRecord, Partitions, PartitionUpdates

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
        stored: what earlier runs have left.
        make: picklable; makes one partition.
        workers: see `WorkerOptions`.
        description: what the progress bar says.

    Yields:
        First the deletions (an empty update if there are none), then one partition at a time as it is made.
    """
    yield dict.fromkeys(stored.keys() - planned.keys())
    pending = {video_id: plan for video_id, plan in planned.items() if not _is_done(video_id, plan, stored)}
    tasks = {video_id: plan.task for video_id, plan in pending.items()}
    for outcome in map_videos(make, tasks, workers, description):
        plan = pending[outcome.video_id]
        made = outcome.result
        record = PartitionRecord(
            fingerprint=plan.fingerprint,
            status=outcome.status,
            error=outcome.error,
            details={**plan.details, **(made.details if made else {})},
        )
        yield {outcome.video_id: Partition(record, made.content if made else None)}


def _is_done(video_id: str, plan: Planned[Any], stored: Partitions[Any]) -> bool:
    return stored.has(video_id, plan.fingerprint) and stored[video_id].record.status not in PASSING
