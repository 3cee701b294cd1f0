"""Atomic writes of local files."""

import os
from pathlib import Path, PurePath
from uuid import uuid4

STAGED_PREFIX = ".part-"
REPLACED_PREFIX = ".old-"


def staging_paths(path: PurePath) -> tuple[PurePath, PurePath]:
    """Return where an interrupted save may leave the new content, and the folder that it was replacing."""
    return path.with_name(f"{STAGED_PREFIX}{path.name}"), path.with_name(f"{REPLACED_PREFIX}{path.name}")


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """Write a local file durably, also while other processes read or write it; creates its folder."""
    path.parent.mkdir(exist_ok=True)
    staged = path.with_name(f"{STAGED_PREFIX}{uuid4().hex}-{path.name}")
    try:
        with staged.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # otherwise a power cut could leave the name without its content
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
