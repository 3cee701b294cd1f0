"""Incremental runs for Kedro: per-partition nodes, state, staleness, executors and the runner. See README.md."""

from .default_runner import use_incremental_runner
from .executors import WorkerOptions
from .partitioned_dataset import StatefulPartitionedDataset
from .partitions import Partition, Partitions, PartitionState
from .per_partition import accumulate, per_partition
from .runner import IncrementalRunner, UnexpectedFailuresError
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
