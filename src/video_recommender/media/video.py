"""References to videos, which stages and worker processes exchange instead of the bytes of the videos."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from upath import UPath

from video_recommender.storage.paths import StoragePath

# The next run tries again, because a restored file can have the same fingerprint
TRANSIENT_STATUSES: Final = frozenset({"damaged", "missing"})


class VideoError(Exception):
    """Raised for a video that cannot be used, with a one-word status and a message that contains the remedy."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message

    @property
    def retry(self) -> bool:
        """Whether the problem may be transient, so that the next run should try again."""
        return self.status in TRANSIENT_STATUSES


@dataclass(frozen=True)
class VideoFile:
    """A video file on a disk that all workers can read. The file is never modified."""

    path: Path
    origin: str = ""  # URL of the object if the file is a temporary copy

    @property
    def name(self) -> str:
        """Path or URL to show in messages."""
        return self.origin or str(self.path)

    @contextmanager
    def as_local_file(self) -> Iterator["VideoFile"]:
        """Return the file itself."""
        yield self


@dataclass(frozen=True)
class VideoObject:
    """A video in an object store that all workers can access. The object is never modified."""

    path: UPath

    @contextmanager
    def as_local_file(self) -> Iterator[VideoFile]:
        """Download the object to a temporary file, which is deleted on exit, or raise a `VideoError` (`missing`)."""
        with tempfile.TemporaryDirectory(prefix="video-") as folder:
            copy = Path(folder, self.path.name)
            try:
                self.path.fs.get_file(self.path.path, str(copy))
            except FileNotFoundError as error:
                message = f"{self.path} cannot be found: restore it or remove it from the source"
                raise VideoError("missing", message) from error
            yield VideoFile(copy, origin=str(self.path))


Video: TypeAlias = VideoFile | VideoObject


def video_from_path(path: StoragePath) -> Video:
    """Create the reference to a video at a path on a disk or in an object store."""
    return VideoFile(path) if isinstance(path, Path) else VideoObject(path)


@dataclass(frozen=True)
class VideoBytes:
    """Content of a rendered video file before it is saved. `digest` is the SHA-256 of the content, if known."""

    content: bytes
    digest: str = ""


@dataclass(frozen=True)
class VideoLink:
    """An existing video to store as a link or a copy. The video is never modified. For `digest`, see `VideoBytes`."""

    target: StoragePath
    copy: bool = False
    digest: str = ""
