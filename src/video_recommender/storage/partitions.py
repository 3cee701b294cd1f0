"""Partitions and their states, as per-partition nodes store them and other nodes read them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_string_dtype, union_categoricals

T = TypeVar("T")

Property: TypeAlias = str | int | float | bool | None

PARTITIONS_PER_BLOCK: Final = 1000

STATE_FOLDER: Final = ".state"  # hidden folder with the state rows, in the folder of the partitions

NO_PROPERTIES: Final[Mapping[str, Property]] = {}


class PartitionState(NamedTuple):
    """The state row of one partition."""

    fingerprint: str = ""  # digest of the inputs, parameters and code that the partition was computed from
    status: str = "ok"  # or `unfinished`, or a short name of the problem
    error: str = ""  # error message
    digest: str = ""  # digest of the stored value; downstream nodes are stale only if it changes
    retry: bool = False  # whether the next run retries, even if nothing has changed
    properties: Mapping[str, Property] = NO_PROPERTIES  # values that the node function reports, such as a frame count

    @property
    def is_ok(self) -> bool:
        """Whether the partition has a value."""
        return self.status == "ok"


UNFINISHED: Final = PartitionState(status="unfinished", error="The run was stopped before it finished", retry=True)
LOST: Final = PartitionState(status="unfinished", error="The file was deleted: run the stage again", retry=True)


@dataclass(frozen=True)
class Partition(Generic[T]):
    """A partition to save, with its state; the digest is computed when the value is saved."""

    state: PartitionState
    value: T | None = None  # None if the status is not `ok`


Update: TypeAlias = Mapping[str, Any]
"""Changes to save, by key: a value, a `Partition`, or None to delete."""

ReadTables: TypeAlias = Callable[[Sequence[str]], pd.DataFrame]
"""Reads the tables of several partitions into one table, as in `Partitions.blocks`, but without the key column."""


class Partitions(Mapping[str, Callable[[], T]]):
    """A mapping from the keys of the partitions that have a value to functions that load it, in alphabetical order.

    Has the interface of the mapping that Kedro's `PartitionedDataset` loads, and the states of all partitions.

    Args:
        states: the state of each partition by key.
        load: picklable function that loads the value of a key. None: there are no values.
        read_tables: function that reads many tables at once; returns their rows and the number of rows of each.

    Attributes:
        states: the state of each partition by key, in alphabetical order.
        load: loads the value of a key.
    """

    def __init__(
        self,
        states: Mapping[str, PartitionState] | None = None,
        load: Callable[[str], T] | None = None,
        read_tables: Callable[[Sequence[str]], tuple[pd.DataFrame, Sequence[int]]] | None = None,
    ) -> None:
        self.states = dict(sorted((states or {}).items()))
        self.load: Callable[[str], T] = load or self._missing
        self._read_tables = read_tables or self._read_one_by_one
        self._keys = [key for key, state in self.states.items() if state.is_ok]

    @classmethod
    def from_values(
        cls, values: Mapping[str, T], states: Mapping[str, PartitionState] | None = None
    ) -> "Partitions[T]":
        """Wrap values in memory, for tests and notebooks; keys without a state have the default state."""
        return cls({**dict.fromkeys(values, PartitionState()), **(states or {})}, values.__getitem__)

    @staticmethod
    def _missing(key: str) -> Any:
        raise KeyError(key)

    def __getitem__(self, key: str) -> Callable[[], T]:
        if not self.states[key].is_ok:
            raise KeyError(key)
        return partial(self.load, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def restrict(self, keys: Iterable[str]) -> "Partitions[T]":
        """Select partitions by key."""
        return Partitions({key: self.states[key] for key in keys}, self.load, self._read_tables)

    def manifest(self, columns: Sequence[str], key: str) -> pd.DataFrame:
        """Return a table with one row per partition, including partitions without a value.

        Args:
            columns: `key`, fields of `PartitionState`, and properties; cells of missing properties are empty.
            key: name of the column for the keys.
        """
        rows = [{**state.properties, **state._asdict(), key: name} for name, state in self.states.items()]
        return pd.DataFrame(rows, columns=list(columns))

    def blocks(self, key: str) -> Iterator[pd.DataFrame]:
        """Read partitions that are tables, 1,000 at a time, which bounds the memory that is needed.

        Args:
            key: name of the column for the keys, which is the first column.

        Yields:
            The rows of 1,000 partitions, in order. The key and text columns are categorical.
        """
        for start in range(0, len(self._keys), PARTITIONS_PER_BLOCK):
            keys = self._keys[start : start + PARTITIONS_PER_BLOCK]
            rows, lengths = self._read_tables(keys)
            rows.insert(0, key, key_column(keys, np.repeat(np.arange(len(keys)), lengths)))
            yield rows

    def table(self, columns: Sequence[str], key: str) -> pd.DataFrame:
        """Concatenate partitions that are tables.

        Args:
            columns: the columns to return, including `key`.
            key: name of the column for the keys.

        Returns:
            The rows of all partitions, in order; text columns are categorical.
        """
        blocks = [block[list(columns)] for block in self.blocks(key)]
        if not blocks:
            return pd.DataFrame(columns=list(columns))
        return pd.DataFrame({column: _concatenate([block[column] for block in blocks]) for column in columns})

    def _read_one_by_one(self, keys: Sequence[str]) -> tuple[pd.DataFrame, Sequence[int]]:
        tables: list[Any] = [self.load(key) for key in keys]
        rows: pd.DataFrame = pd.concat(tables, ignore_index=True)
        for name, column in rows.items():
            if is_string_dtype(column):
                rows[name] = pd.Categorical(column, categories=pd.Index(column.unique(), dtype="str"))
        return rows, [len(table) for table in tables]


def key_column(keys: Sequence[str], numbers: Sequence[int] | NDArray[np.int64]) -> "pd.Series[Any]":
    """Build the categorical key column of a block from its keys and the index of each row's key."""
    return pd.Series(pd.Categorical.from_codes(numbers, categories=pd.Index(list(keys), dtype="str")))


def _concatenate(parts: list["pd.Series[Any]"]) -> "pd.Series[Any]":
    if isinstance(parts[0].dtype, pd.CategoricalDtype):
        return pd.Series(union_categoricals(parts))
    return pd.concat(parts, ignore_index=True)


def storable(text: str) -> str:
    """Replace characters that cannot be encoded in UTF-8, such as in file names that are not Unicode."""
    return text.encode(errors="replace").decode()
