"""Partitions and their state: what a per-partition node stores for each key, and how other nodes read it."""

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

STATE_FOLDER: Final = ".state"  # hidden folder beside partitions that holds their state rows

NO_PROPERTIES: Final[Mapping[str, Property]] = {}


class PartitionState(NamedTuple):
    """The state row of one partition."""

    fingerprint: str = ""  # digest of everything that the partition was made from
    status: str = "ok"  # or `unfinished` (a run was stopped while it worked on it), or a short name of the problem
    error: str = ""  # the problem in a sentence
    digest: str = ""  # of the stored value: nodes downstream are stale only if it changes
    retry: bool = False  # whether the next run tries again although nothing has changed
    properties: Mapping[str, Property] = NO_PROPERTIES  # what the node function reports, such as a number of frames

    @property
    def is_ok(self) -> bool:
        """Whether the partition has a value."""
        return self.status == "ok"


UNFINISHED: Final = PartitionState(status="unfinished", error="A run was stopped before it was finished", retry=True)
LOST: Final = PartitionState(status="unfinished", error="Its file has been deleted: run the stage again", retry=True)


@dataclass(frozen=True)
class Partition(Generic[T]):
    """A partition to save, with its state; the digest is computed when the value is stored."""

    state: PartitionState
    value: T | None = None  # None if the state says why there is none


Update: TypeAlias = Mapping[str, Any]
"""What to save, by key: a value, a `Partition`, or None to delete."""

ReadTables: TypeAlias = Callable[[Sequence[str]], pd.DataFrame]
"""Reads the tables of several partitions into one, as `Partitions.blocks` yields it, without the key."""


class Partitions(Mapping[str, Callable[[], T]]):
    """The partitions of a dataset that have a value, in alphabetical order: a function that loads it, by key.

    This is what Kedro's `PartitionedDataset` loads, and the state of every partition, those without a value included.

    Args:
        states: the state of each partition.
        load: loads the value of a key; picklable. Without one there are no values.
        read_tables: reads many tables faster than one by one; returns their rows and the length of each.

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
        """Wrap values in memory, for tests and notebooks; a key without a state has a default one."""
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
        """Select some partitions by key."""
        return Partitions({key: self.states[key] for key in keys}, self.load, self._read_tables)

    def manifest(self, columns: Sequence[str], key: str) -> pd.DataFrame:
        """Tabulate the state of every partition, those without a value included.

        Args:
            columns: `key`, a field of `PartitionState`, or a property; empty where a partition lacks the property.
            key: name of the column for the keys.
        """
        rows = [{**state.properties, **state._asdict(), key: name} for name, state in self.states.items()]
        return pd.DataFrame(rows, columns=list(columns))

    def blocks(self, key: str) -> Iterator[pd.DataFrame]:
        """Read partitions that are tables, a thousand at a time, so that memory does not grow with their number.

        Args:
            key: name of the column for the keys.

        Yields:
            The rows of a thousand partitions, in order. The key, which comes first, and all text are categorical.
        """
        for start in range(0, len(self._keys), PARTITIONS_PER_BLOCK):
            keys = self._keys[start : start + PARTITIONS_PER_BLOCK]
            rows, lengths = self._read_tables(keys)
            rows.insert(0, key, key_column(keys, np.repeat(np.arange(len(keys)), lengths)))
            yield rows

    def table(self, columns: Sequence[str], key: str) -> pd.DataFrame:
        """Concatenate partitions that are tables.

        Args:
            columns: the columns to return, among them `key`.
            key: name of the column for the keys.

        Returns:
            The rows of all partitions, in order; text is categorical.
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
    """Build the key column of a block from its keys and the position of each row's key among them."""
    return pd.Series(pd.Categorical.from_codes(numbers, categories=pd.Index(list(keys), dtype="str")))


def _concatenate(parts: list["pd.Series[Any]"]) -> "pd.Series[Any]":
    if isinstance(parts[0].dtype, pd.CategoricalDtype):
        return pd.Series(union_categoricals(parts))
    return pd.concat(parts, ignore_index=True)


def storable(text: str) -> str:
    """Replace what cannot be encoded, such as parts of a file name that is not Unicode."""
    return text.encode(errors="replace").decode()
