"""Tables of a thousand partitions in one file, because to open a hundred thousand small ones takes far longer."""

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ParquetFile

from video_recommender.incremental.file_state import FileState, FolderStates, folder_states
from video_recommender.incremental.partitions import PARTITIONS_PER_BLOCK
from video_recommender.storage.atomic_write import replace_file
from video_recommender.storage.digests import fingerprint

SUFFIX: Final = ".arrow"
MEMBERS: Final = b"members"


class _Member(NamedTuple):
    """A partition in a copy: from which row, how many, and as what its own file was seen."""

    video_id: str
    start: int
    rows: int
    state: FileState


class _Fresh(NamedTuple):
    video_id: str
    state: FileState
    table: pa.Table


class CopiedTables:
    """Reads the Parquet files of many partitions, from copies where a file is as it was when it was copied.

    The files are the truth. Whenever a thousand were read from their own files, a copy is made of these. A copy of
    which less than half is still true is deleted. The copies may be deleted at any time.

    Args:
        folder: where the partitions lie.
        suffix: what their names end in.
        copies: where the copies lie.
    """

    def __init__(self, folder: Path, suffix: str, copies: Path) -> None:
        self._folder, self._suffix, self._copies = folder, suffix, copies
        self._seen: dict[Path, FolderStates] = {}
        self._fresh: list[_Fresh] = []
        self._copied: dict[str, tuple[Path, _Member]] = {}
        for copy in sorted(copies.glob(f"*{SUFFIX}")):
            self._look_at(copy)

    def read(self, video_ids: Sequence[str]) -> list[pa.Table]:
        """Read the tables of these partitions, in their order."""
        copies: dict[Path, list[_Member]] = defaultdict(list)
        for video_id in video_ids:
            if video_id in self._copied:
                copy, member = self._copied[video_id]
                copies[copy].append(member)
        tables: dict[str, pa.Table] = {}
        for copy, members in copies.items():
            with suppress(OSError, pa.ArrowException):  # another run has deleted it
                tables |= _read_copy(copy, members)
        return [tables[video_id] if video_id in tables else self._read_itself(video_id) for video_id in video_ids]

    def _look_at(self, copy: Path) -> None:
        try:
            members = _members(copy)
        except (OSError, pa.ArrowException, ValueError, TypeError, KeyError):  # deleted just now, or damaged
            members = []
        current = [
            member
            for member in members
            if member.video_id not in self._copied and self._state(member.video_id)[0] == member.state
        ]
        if 2 * len(current) > len(members):
            self._copied |= {member.video_id: (copy, member) for member in current}
        else:
            with suppress(OSError):
                copy.unlink()

    def _read_itself(self, video_id: str) -> pa.Table:
        state, is_settled = self._state(video_id)
        content = self._place(video_id).read_bytes()
        table = read_parquet(content)
        if state is not None and is_settled:
            self._fresh.append(_Fresh(video_id, state, table))
            if len(self._fresh) == PARTITIONS_PER_BLOCK:
                with suppress(OSError):  # whoever may only read goes without
                    _write_copy(self._fresh, self._copies)
                self._fresh = []
        return table

    def _state(self, video_id: str) -> tuple[FileState | None, bool]:
        place = self._place(video_id)
        if place.parent not in self._seen:
            self._seen[place.parent] = folder_states(place.parent)
        seen = self._seen[place.parent]
        state = seen.files.get(place.name)
        return state, state is not None and state.is_settled(seen.seen_ns)

    def _place(self, video_id: str) -> Path:
        return self._folder / f"{video_id}{self._suffix}"


def read_parquet(content: bytes) -> pa.Table:
    """Read Parquet without a data set of pandas for each file, which would take ten times as long."""
    table = ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    return table.replace_schema_metadata()


def _read_copy(copy: Path, members: list[_Member]) -> dict[str, pa.Table]:
    first = min(member.start for member in members)
    end = max(member.start + member.rows for member in members)
    with pa.memory_map(str(copy)) as file:  # so that only these rows are read
        rows = pa.ipc.open_file(file).read_all().slice(first, end - first)
    rows = _decoded(rows).replace_schema_metadata()
    return {member.video_id: rows.slice(member.start - first, member.rows) for member in members}


def _write_copy(fresh: list[_Fresh], copies: Path) -> None:
    kinds = fresh[0].table.schema
    if any(pa.types.is_dictionary(kind) for kind in kinds.types) or any(one.table.schema != kinds for one in fresh):
        return  # from the copy they would not come as they are
    members, start = [], 0
    for one in fresh:
        members.append(_Member(one.video_id, start, len(one.table), one.state))
        start += len(one.table)
    rows = _encoded(pa.concat_tables([one.table for one in fresh]).combine_chunks())
    rows = rows.replace_schema_metadata({MEMBERS: json.dumps(members, ensure_ascii=False)})
    content = pa.BufferOutputStream()
    with pa.ipc.new_file(content, rows.schema) as file:
        file.write_table(rows)
    replace_file(copies / f"{fingerprint(members)}{SUFFIX}", memoryview(content.getvalue()))


def _members(copy: Path) -> list[_Member]:
    with pa.memory_map(str(copy)) as file:
        told = pa.ipc.open_file(file).schema.metadata[MEMBERS]
    return [_Member(video_id, start, rows, FileState(*state)) for video_id, start, rows, state in json.loads(told)]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _encoded(rows: pa.Table) -> pa.Table:
    for number, field in enumerate(rows.schema):
        if is_text(field.type):
            rows = rows.set_column(number, field.name, pc.dictionary_encode(rows[field.name]))
    return rows


def _decoded(rows: pa.Table) -> pa.Table:
    for number, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type):
            rows = rows.set_column(number, field.name, rows[field.name].cast(field.type.value_type))
    return rows
