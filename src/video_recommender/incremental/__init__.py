"""Incremental runs for Kedro: per-partition nodes, state, staleness, executors and the runner. See README.md."""

from video_recommender.storage.partitions import Partition, Partitions, PartitionState

from .executors import WorkerOptions
from .partition_run import UnexpectedFailuresError
from .partitioned_dataset import StatefulPartitionedDataset
from .per_partition import accumulate, per_partition
from .runner import IncrementalRunner, use_incremental_runner
from .staleness import depends_on

__all__ = [
    "IncrementalRunner",
    "Partition",
    "PartitionState",
    "Partitions",
    "StatefulPartitionedDataset",
    "UnexpectedFailuresError",
    "WorkerOptions",
    "accumulate",
    "depends_on",
    "per_partition",
    "use_incremental_runner",
]
