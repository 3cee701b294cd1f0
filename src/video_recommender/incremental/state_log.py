"""The append-only log of partition states, on a local disk or in an object store."""

import json
import logging
import posixpath
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from video_recommender.storage.partitions import NO_PROPERTIES, UNFINISHED, PartitionState

SEGMENT_BYTES: Final = 2_000_000
"""A segment is closed at this size: object stores cannot append, so each flush rewrites the open segment."""

MAX_SEGMENTS: Final = 60
"""The log is compacted if it has this number of segments more than its size requires: each run adds one."""

IDLE_MS: Final = 10_000
"""Segments of another run are not compacted until they have been idle for this time: the run can still be active."""

READ_ATTEMPTS: Final = 5  # a reader retries if another run compacts the log at the same time

BATCH: Final = b'{"at":'
KEY: Final = re.compile(rb'^\{"key":("(?:[^"\\]|\\.)*")')

logger = logging.getLogger(__name__)

Row: TypeAlias = PartitionState | None
"""A state, or None for a deleted partition."""


class _Batch(NamedTuple):
    """The rows of one flush. Batches are sorted by time; the last row of a key is its state."""

    at: int
    segment: str
    number: int
    lines: list[bytes]


class StateLog:
    """The last state of each key, stored as segments of JSON lines.

    Each flush adds a batch: a line with the time in milliseconds, then one line per row. On a local disk, the batch is
    appended; in an object store, the segment is rewritten. Concurrent runs write to separate segments; readers sort all
    batches by time. The log is compacted if more than half of its rows are outdated, or if it has many segments.

    Attributes:
        states: the state of each key as of the last read, including rows that were appended since then.
    """

    def __init__(self, filesystem: AbstractFileSystem, folder: str) -> None:
        self.states: dict[str, PartitionState] = {}
        self._filesystem = filesystem
        self._folder = folder
        self._segments: dict[str, tuple[Any, ...]] = {}
        self._last_batch: dict[str, int] = {}  # time of the last batch of each segment, in milliseconds
        self._own: set[str] = set()
        self._rows = 0
        self._current = ""
        self._size = 0
        self._content: list[bytes] = []  # current segment in an object store
        self._pending: list[bytes] = []

    def read(self) -> dict[str, PartitionState]:
        """Return the state of each key; files are read only if they have changed since the last call."""
        for attempt in range(READ_ATTEMPTS):
            found = self._list()
            if found == self._segments:
                break
            try:
                contents = self._fetch(sorted(found))
            except FileNotFoundError:  # compacted since it was listed
                if attempt + 1 == READ_ATTEMPTS:
                    raise
                continue
            self._apply_all(contents)
            self._segments = found
            break
        return self.states

    def append(self, rows: Mapping[str, Row]) -> None:
        """Add rows; the next flush stores them."""
        for key, row in rows.items():
            self._apply(key, row)
            self._pending.append(_format(key, row))

    def flush(self) -> None:
        """Store the rows that were appended since the last flush."""
        if not self._pending:
            return
        if self._current and not self._filesystem.exists(self._path(self._current)):
            self._start_segment()  # another run has compacted it
        at = max(int(time.time() * 1000), self._latest() + 1)
        self._write(at, self._pending)
        self._pending = []
        if self._size > SEGMENT_BYTES:
            self._start_segment()

    def compact(self) -> None:
        """Remove outdated rows if they are more than half of the log, or if it has many segments."""
        self.flush()
        self._start_segment()
        states = self.read()
        extra = len(self._segments) - sum(size or 0 for size, *_ in self._segments.values()) // SEGMENT_BYTES
        if self._rows <= 2 * len(states) and extra <= MAX_SEGMENTS:
            return
        idle_since = int(time.time() * 1000) - IDLE_MS
        if any(at > idle_since for name, at in self._last_batch.items() if name not in self._own):
            return
        outdated, at = sorted(self._segments), self._latest()
        lines: list[bytes] = []
        for key, state in states.items():
            lines.append(_format(key, state))
            if len(lines) == 1000:
                self._write(at, lines)
                lines = []
                if self._size > SEGMENT_BYTES:
                    self._start_segment()
        self._write(at, lines)
        self._start_segment()
        self._rows = len(states)
        for name in outdated:  # oldest first: a row must not remain after the row that deletes its key
            with suppress(FileNotFoundError):
                self._filesystem.rm_file(self._path(name))
            del self._segments[name]
            self._last_batch.pop(name, None)

    def _apply_all(self, contents: Mapping[str, bytes]) -> None:
        self.states.clear()
        self._rows = 0
        batches = sorted(batch for name, content in contents.items() for batch in _batches(name, content))
        self._last_batch = {batch.segment: batch.at for batch in batches}
        damaged = 0
        for batch in batches:
            for line in batch.lines:
                try:
                    key, row = _parse(line)
                except (ValueError, TypeError, KeyError, AttributeError):
                    damaged += 1
                    named = KEY.match(line)
                    if named is None:
                        continue
                    key, row = json.loads(named[1]), UNFINISHED
                self._apply(key, row)
        if damaged:
            logger.warning(
                "%s has %d damaged lines: the affected partitions are processed again", self._folder, damaged
            )

    def _apply(self, key: str, row: Row) -> None:
        self._rows += 1
        if row is None:
            self.states.pop(key, None)
        else:
            self.states[key] = row

    def _latest(self) -> int:
        return max(self._last_batch.values(), default=0)

    def _start_segment(self) -> None:
        self._current, self._size, self._content = "", 0, []

    def _write(self, at: int, rows: list[bytes]) -> None:
        """Add a batch to the current segment."""
        if not rows:
            return
        if not self._current:
            number = max((int(name.partition("-")[0]) for name in self._segments), default=0)
            self._current = f"{number + 1:06d}-{uuid4().hex[:8]}.jsonl"
        name, path = self._current, self._path(self._current)
        batch = b"".join([BATCH + str(at).encode() + b"}\n", *rows])
        try:
            if isinstance(self._filesystem, LocalFileSystem):
                Path(self._folder).mkdir(parents=True, exist_ok=True)
                with Path(path).open("ab") as file:
                    file.write(batch)
            else:
                self._filesystem.pipe_file(path, b"".join([*self._content, batch]))
                self._content.append(batch)
        except BaseException:
            self._start_segment()  # the batch can be partly written
            raise
        self._size += len(batch)
        self._own.add(name)
        self._segments[name] = _signature(self._filesystem.info(path))
        self._last_batch[name] = at

    def _fetch(self, names: list[str]) -> dict[str, bytes]:
        paths = [self._path(name) for name in names]
        if isinstance(self._filesystem, LocalFileSystem):
            contents = [Path(path).read_bytes() for path in paths]
        else:  # `cat` would interpret a path as a pattern
            contents = self._filesystem.cat_ranges(paths, None, None, on_error="raise")
        return dict(zip(names, contents, strict=True))

    def _list(self) -> dict[str, tuple[Any, ...]]:
        try:
            entries = self._filesystem.ls(self._folder, detail=True)
        except FileNotFoundError:
            return {}
        segments = {posixpath.basename(entry["name"]): _signature(entry) for entry in entries}
        return {name: signature for name, signature in segments.items() if re.fullmatch(r"\d+-\w+\.jsonl", name)}

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _batches(segment: str, content: bytes) -> Iterator[_Batch]:
    batch = _Batch(0, segment, 0, [])
    for line in content.split(b"\n"):
        if line.startswith(BATCH):
            yield batch
            at = line.removeprefix(BATCH).removesuffix(b"}")
            batch = _Batch(int(at) if at.isdigit() else batch.at, segment, batch.number + 1, [])
        elif line:
            batch.lines.append(line)
    yield batch


def _signature(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return attributes of a file that differ after each change of a segment."""
    return entry.get("size"), entry.get("ino"), entry.get("ETag") or entry.get("mtime")


def _format(key: str, row: Row) -> bytes:
    """Format a row as ASCII, because a key can be a file name that is not Unicode."""
    if row is None:
        fields: dict[str, Any] = {"key": key, "deleted": True}
    else:
        given = zip(PartitionState._fields, row, strict=True)
        defaults = PartitionState._field_defaults
        fields = {"key": key, **{name: value for name, value in given if value != defaults[name]}}
    return json.dumps(fields, separators=(",", ":"), default=dict).encode() + b"\n"


def _parse(line: bytes) -> tuple[str, Row]:
    fields = json.loads(line)
    key = fields.pop("key")
    if not isinstance(key, str) or not isinstance(fields.get("properties", {}), dict):
        raise TypeError(key)
    if "deleted" in fields:
        return key, None
    return key, PartitionState(**fields) if fields else PartitionState("", "ok", "", "", False, NO_PROPERTIES)
