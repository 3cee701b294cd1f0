"""Where a file or folder lies: on a disk, or in an object store that every worker reaches."""

from pathlib import Path
from typing import TypeAlias

from upath import UPath

Place: TypeAlias = Path | UPath
"""A path on a disk, or one in an object store such as `s3://bucket/videos/cat.mp4`; both are read in the same way."""


def place_at(url: str) -> Place:
    """Name a place.

    Args:
        url: a path, or the URL of an object in any store that fsspec knows.

    Returns:
        In an object store: a path that asks the store each time, because other machines write there too.
    """
    protocol, separator, path = url.partition("://")
    if not separator or protocol == "file":
        return Path(path or url).expanduser()
    return UPath(url, use_listings_cache=False)


def on_a_disk(url: str) -> Path:
    """Name a place that must be on a disk of this machine.

    Raises:
        ValueError: if it is in an object store.
    """
    place = place_at(url)
    if isinstance(place, UPath):
        raise ValueError(  # noqa: TRY004 - a person can mend it
            f"{url} must be on a disk of this machine: name a folder as `disk` in globals.yml"
        )
    return place
