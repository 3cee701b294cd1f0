"""Paths on a local disk and in an object store, and the errors of a full disk."""

import errno
from pathlib import Path
from typing import Final, TypeAlias

from upath import UPath

StoragePath: TypeAlias = Path | UPath
"""A local path, or a path in an object store, such as `s3://bucket/videos/cat.mp4`; both have the same methods."""

DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def parse_path(url: str) -> StoragePath:
    """Convert a path or URL to a path object.

    Args:
        url: local path, or URL of an object in a store that fsspec supports.

    Returns:
        A path. In an object store, listings are not cached, because other machines can write to it.
    """
    protocol, separator, path = url.partition("://")
    if not separator or protocol == "file":
        return Path(path or url).expanduser()
    return UPath(url, use_listings_cache=False)


def require_local_path(url: str) -> Path:
    """Convert a path or URL to a path on a local disk.

    Raises:
        ValueError: if it is in an object store.
    """
    path = parse_path(url)
    if isinstance(path, UPath):
        raise ValueError(f"{url} must be on a local disk: set `disk` in globals.yml to a local folder")  # noqa: TRY004
    return path


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is a full disk or an exhausted quota."""
    while error is not None:
        if getattr(error, "errno", None) in DISK_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
