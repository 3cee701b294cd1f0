"""The append-only log of partition states, in a hidden folder on a local disk or in an object store."""

import json
import logging
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from video_recommender.incremental.partitions import NO_PROPERTIES, PartitionState

SEGMENT_BYTES: Final = 2_000_000
"""A segment is rewritten with every flush until it has this size, because an object store cannot append."""

MAX_SEGMENTS: Final = 60
"""The log is compacted if it has more: every run adds one."""

logger = logging.getLogger(__name__)

Row: TypeAlias = PartitionState | None
"""A state, or None for a partition that was deleted."""


class StateLog:
    """The last state of each key, kept as segments of JSON lines; the last line of a key counts.

    A segment is replaced as a whole, so a run that is killed leaves complete lines only. When more than half of the
    lines are outdated, or there are many segments, the log is compacted. Several runs may append at the same time, each to segments of its own.

    Args:
        filesystem: where the log is kept.
        folder: its path there.
    """

    def __init__(self, filesystem: AbstractFileSystem, folder: str) -> None:
        self._filesystem = filesystem
        self._folder = folder
        self._states: dict[str, PartitionState] = {}
        self._segments: dict[str, tuple[Any, ...]] = {}
        self._lines = 0
        self._current = ""
        self._content: list[bytes] = []
        self._pending: list[bytes] = []

    def read(self) -> dict[str, PartitionState]:
        """Return the state of each key; only segments that are new since the last call are read."""
        found = self._list()
        if any(found.get(name) != signature for name, signature in self._segments.items()):
            self._states, self._segments, self._lines = {}, {}, 0
        new = sorted(found.keys() - self._segments.keys())
        contents = self._filesystem.cat([self._path(name) for name in new]) if new else {}
        for name in new:
            damaged = 0
            for line in _content(contents, self._path(name)).splitlines():
                try:
                    self._apply(*_parse(line))
                except (ValueError, TypeError, KeyError, AttributeError):
                    damaged += 1
            if damaged:
                logger.warning("%s has %d damaged lines: their partitions are computed again", self._path(name), damaged)
        self._segments = found
        return self._states

    def append(self, rows: Mapping[str, Row]) -> None:
        """Add rows, which the next flush stores."""
        for key, row in rows.items():
            self._apply(key, row)
            self._pending.append(_format(key, row))

    def flush(self) -> None:
        """Store the rows that were appended since the last flush."""
        if not self._pending:
            return
        self._content += self._pending
        self._pending = []
        self._current = self._current or self._new_name()
        self._write(self._current, self._content)
        if sum(map(len, self._content)) > SEGMENT_BYTES:
            self.close()

    def close(self) -> None:
        """Store pending rows; later ones go to a new segment."""
        self.flush()
        self._current, self._content = "", []

    def compact(self) -> None:
        """Close the log, and rewrite it without outdated rows if these are more than half of it."""
        self.close()
        states = self.read()
        if self._lines <= 2 * len(states) and len(self._segments) <= MAX_SEGMENTS:
            return
        outdated = sorted(self._segments)
        for key, state in states.items():
            self._content.append(_format(key, state))
            if len(self._content) % 1000 == 0 and sum(map(len, self._content)) > SEGMENT_BYTES:
                self._write(self._new_name(), self._content)
                self._content = []
        if self._content:
            self._write(self._new_name(), self._content)
        self._content = []
        self._lines = len(states)
        for name in outdated:  # oldest first: a row must not outlive the one that deletes its key
            self._filesystem.rm_file(self._path(name))
            del self._segments[name]

    def _apply(self, key: str, row: Row) -> None:
        self._lines += 1
        if row is None:
            self._states.pop(key, None)
        else:
            self._states[key] = row

    def _new_name(self) -> str:
        last = max(self._segments, default="0")
        return f"{int(last.partition('-')[0]) + 1:06d}-{uuid4().hex[:8]}.jsonl"

    def _write(self, name: str, lines: Iterable[bytes]) -> None:
        path = self._path(name)
        content = b"".join(lines)
        if isinstance(self._filesystem, LocalFileSystem):
            temporary = self._path(f".{name}")
            self._filesystem.makedirs(self._folder, exist_ok=True)
            self._filesystem.pipe_file(temporary, content)
            Path(temporary).replace(path)
        else:
            self._filesystem.pipe_file(path, content)
        self._segments[name] = _signature(self._filesystem.info(path))

    def _list(self) -> dict[str, tuple[Any, ...]]:
        try:
            entries = self._filesystem.ls(self._folder, detail=True)
        except FileNotFoundError:
            return {}
        names = {posixpath.basename(entry["name"]): entry for entry in entries}
        return {
            name: _signature(entry)
            for name, entry in names.items()
            if name.endswith(".jsonl") and not name.startswith(".")
        }

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _signature(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("size"), entry.get("ino"), str(entry.get("ETag") or entry.get("mtime") or entry.get("created"))


def _content(contents: Mapping[str, bytes], path: str) -> bytes:
    return contents[path] if path in contents else contents[path.lstrip("/")]


def _format(key: str, row: Row) -> bytes:
    if row is None:
        fields: dict[str, Any] = {"key": key, "deleted": True}
    else:
        given = zip(PartitionState._fields, row, strict=True)
        defaults = PartitionState._field_defaults
        fields = {"key": key, **{name: value for name, value in given if value != defaults[name]}}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _parse(line: bytes) -> tuple[str, Row]:
    fields = json.loads(line)
    key: str = fields.pop("key")
    if "deleted" in fields:
        return key, None
    return key, PartitionState(**fields) if fields else PartitionState("", "ok", "", "", False, NO_PROPERTIES)
