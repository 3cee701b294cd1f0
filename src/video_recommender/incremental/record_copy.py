"""The records of many partitions in one file, because to open a hundred thousand takes far longer than to see them."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Final, TypeAlias

from video_recommender.incremental.file_state import folder_states
from video_recommender.incremental.partitions import UNFINISHED, PartitionRecord
from video_recommender.storage.atomic_write import replace_file

COPIES: Final = ".copies"
"""The hidden folder in that of the records; it may be deleted at any time."""
COPIED_FROM: Final = 1000
"""So many files are opened one by one without a thought; when there are more, they are copied."""

SUFFIX: Final = ".json"

FolderRecords: TypeAlias = dict[str, PartitionRecord]


@dataclass(frozen=True)
class _Copy:
    """What the files of sound records held, word by word, and as what each was seen, by `video_id`.

    It is text all over, because Python's garbage collector looks at every other object again and again.
    """

    states: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)


def read_records(root: Path) -> Iterator[tuple[str, FolderRecords]]:
    """Read every record on a disk, from the copy where its file is as it was, else from its own file.

    The files are the truth: workers write them one by one, and know nothing of the copy. It is made anew when many
    were read from their own files.

    Args:
        root: the folder of records.

    Yields:
        What `video_id`s in a folder begin with, and its records by the rest of these, in alphabetical order.
    """
    copied, current = _load(root / COPIES / "records.json"), _Copy()
    opened = 0
    for folder in _folders(root):
        seen = folder_states(folder)
        prefix = prefix_of(folder.relative_to(root))
        records = {}
        for name in sorted(name for name in seen.files if name.endswith(SUFFIX)):
            slug, told = name.removesuffix(SUFFIX), seen.files[name]
            video_id, state = prefix + slug, f"{told.modified_ns} {told.changed_ns} {told.size} {told.inode}"
            is_copied = copied.states.get(video_id) == state
            content = copied.contents[video_id] if is_copied else (folder / name).read_bytes()
            records[slug] = parse_record(content)
            if is_copied or (records[slug] is not UNFINISHED and told.is_settled(seen.seen_ns)):
                current.states[video_id] = state
                current.contents[video_id] = content if isinstance(content, str) else content.decode()
                opened += not is_copied
        yield prefix, records
    if opened >= COPIED_FROM:
        with suppress(OSError):  # whoever may only read goes without
            replace_file(root / COPIES / "records.json", json.dumps(asdict(current), ensure_ascii=False).encode())


def prefix_of(category: PurePath) -> str:
    """What `video_id`s in a folder begin with."""
    return f"{category.as_posix()}/" if category.name else ""


def parse_record(content: str | bytes) -> PartitionRecord:
    """Understand a record; a damaged one counts as unfinished."""
    try:
        return PartitionRecord(**json.loads(content))
    except (ValueError, TypeError):
        return UNFINISHED


def _folders(root: Path) -> list[Path]:
    found = [str(root)]
    for folder in found:
        with suppress(FileNotFoundError):
            folders = (entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
            found += [entry.path for entry in folders if entry.name != COPIES]
    return [Path(folder) for folder in sorted(found)]


def _load(file: Path) -> _Copy:
    try:
        copy = _Copy(**json.loads(file.read_bytes()))
        return copy if copy.states.keys() == copy.contents.keys() else _Copy()
    except (OSError, ValueError, TypeError, AttributeError):  # there is none, or it is damaged
        return _Copy()
