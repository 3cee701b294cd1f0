"""What tells, without opening a file, that it is still the one that was read."""

import os
import time
from pathlib import Path
from typing import NamedTuple

UNSETTLED_NS = 2_000_000_000
"""The coarsest step in which a file system tells times (FAT: two seconds)."""


class FileState(NamedTuple):
    """What the file system says of a file; a copy of its content counts only while all of it stays the same.

    Attributes:
        modified_ns: when its content was written.
        changed_ns: when anything of it was changed; nobody can set it back.
        size: its bytes.
        inode: its number, which another file that takes its place does not have.
    """

    modified_ns: int
    changed_ns: int
    size: int
    inode: int

    def is_settled(self, seen_ns: int) -> bool:
        """Whether a change after it was seen would show: within one tick of the clock two changes look like one."""
        return max(self.modified_ns, self.changed_ns) < seen_ns - UNSETTLED_NS


class FolderStates(NamedTuple):
    """The files of one folder.

    Attributes:
        seen_ns: when they were looked at, in nanoseconds since 1970.
        files: the state of each by its name.
        folders: names of the folders in it.
    """

    seen_ns: int
    files: dict[str, FileState]
    folders: list[str]


def folder_states(folder: Path) -> FolderStates:
    """Look at a folder; hidden files and folders are left out, and one that is not there is empty."""
    seen = FolderStates(time.time_ns(), {}, [])
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return seen
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            seen.folders.append(entry.name)
            continue
        try:
            told = entry.stat()
        except FileNotFoundError:  # it was replaced or deleted just now
            continue
        seen.files[entry.name] = FileState(told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino)
    return seen
