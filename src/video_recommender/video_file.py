"""A video where it lies: what passes between stages and to worker processes instead of its bytes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VideoFile:
    """One video file on a disk that every worker can read.

    Attributes:
        path: where it lies; its bytes are never altered.
    """

    path: Path


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

    target: Path
    copy: bool = False
