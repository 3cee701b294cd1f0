"""A video where it lies: what passes between stages and to worker processes instead of its bytes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from upath import UPath

from video_recommender.storage.paths import StoragePath


@dataclass(frozen=True)
class VideoFile:
    """One video file on a disk that every worker can read.

    Attributes:
        path: where it lies; its bytes are never altered.
        copy_of: what it is a passing copy of, as people know it.
    """

    path: Path
    copy_of: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return self.copy_of or str(self.path)

    @contextmanager
    def at_hand(self) -> Iterator["VideoFile"]:
        """Have it on a disk while it is worked on, where it is anyway."""
        yield self


@dataclass(frozen=True)
class VideoObject:
    """One video in an object store that every worker reaches.

    Attributes:
        path: where it lies; its bytes are never altered.
    """

    path: UPath

    @contextmanager
    def at_hand(self) -> Iterator[VideoFile]:
        """Have it on a disk while it is worked on.

        Yields:
            A copy, which vanishes afterwards: a worker holds one video at a time.

        Raises:
            VideoError: `missing`, if the store does not hold it.
        """
        with tempfile.TemporaryDirectory(prefix="video-") as folder:
            copy = Path(folder, self.path.name)
            try:
                self.path.fs.get_file(self.path.path, str(copy))
            except FileNotFoundError as error:
                raise VideoError(
                    "missing", f"{self.path} cannot be found: restore it or remove it from the source"
                ) from error
            yield VideoFile(copy, copy_of=str(self.path))


Video: TypeAlias = VideoFile | VideoObject


def video_at(place: StoragePath) -> Video:
    """Name the video that lies in a place."""
    return VideoFile(place) if isinstance(place, Path) else VideoObject(place)


class VideoError(Exception):
    """One video cannot be used. It is skipped, and its manifest row tells why.

    Attributes:
        status: what is wrong in one word, such as `unreadable`.
        message: what is wrong and the way out, in one sentence.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class VideoBytes:
    """A video that the run itself has made, before it is saved.

    Attributes:
        content: the bytes of the file.
    """

    content: bytes


@dataclass(frozen=True)
class VideoLink:
    """A video that already lies somewhere, before it is catalogued.

    Attributes:
        target: the file, which stays where it is and is never altered.
        copy: whether to keep a copy of it instead of a link to it.
    """

    target: StoragePath
    copy: bool = False
