"""What the project's runs have made, read again whenever it changes; where it is missing, the way out."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final, Protocol

MADE_BY: Final = {
    "videos": "ingestion",
    "video_manifest": "ingestion",
    "frames": "preprocessing",
    "frame_manifest": "preprocessing",
    "detections": "detection",
    "object_classifier": "detection",
    "segmentations": "segmentation",
    "object_segmenter": "segmentation",
    "finetuned_detections": "transfer_learning",
    "finetuned_classifier": "transfer_learning",
    "object_space": "feature_engineering",
    "video_features": "feature_engineering",
    "video_points": "feature_engineering",
    "category_classifier": "classification",
    "category_predictions": "classification",
    "recommender": "recommendation",
    "recommendations": "recommendation",
    "ads": "advertising",
    "ad_recommendations": "advertising",
    "viewer_model": "advertising",
    "ad_features": "advertising",
    "ad_policy": "advertising",
}
"""The pipeline to run for each dataset that is shown."""


@dataclass(frozen=True)
class Problem:
    """Why something cannot be shown.

    Attributes:
        message: what is wrong, in a sentence.
        command: what to run, so that it can.
    """

    message: str
    command: str


class UnavailableError(Exception):
    """Something is not there or cannot be read.

    Attributes:
        problem: to be shown in its place.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class BrokenFileError(Exception):
    """A file is there, but it does not hold what it should."""


class StoredData(Protocol):
    """Where the project keeps what its runs have made."""

    def place(self, name: str) -> Path:
        """The file or folder of a dataset, whether it exists or not."""
        ...

    def load(self, name: str) -> Any:
        """Read a dataset.

        Raises:
            BrokenFileError: if it is there, but cannot be read.
        """
        ...


class ProjectData:
    """Keeps in memory what was read, as long as its file stays the same; may be asked from many threads.

    Args:
        stored: where it lies.
        environment: the Kedro environment that commands have to name; empty for the default one.
    """

    def __init__(self, stored: StoredData, environment: str = "") -> None:
        self._stored = stored
        self._suffix = f" --env={environment}" if environment else ""
        self._kept: dict[str, tuple[Hashable, Any]] = {}
        self._lock = RLock()

    def load(self, name: str) -> Any:
        """Read a dataset, or give what was read before.

        Raises:
            UnavailableError: if it was never made, or cannot be read.
        """
        with self._lock:
            version = self.version(name)
            if version is None:
                raise UnavailableError(Problem(f"There is no {_in_words(name)} yet.", self.command_for(name)))
            if name not in self._kept or self._kept[name][0] != version:
                self._kept[name] = version, self._read(name)
            return self._kept[name][1]

    def load_if_made(self, name: str) -> Any:
        """Read a dataset that need not be there; None where it was never made.

        Raises:
            UnavailableError: if it cannot be read.
        """
        return None if self.version(name) is None else self.load(name)

    def version(self, name: str) -> Hashable:
        """Tell states of a dataset apart: equal while nothing was written; None where there is nothing."""
        place = self._stored.place(name)
        try:
            if not place.is_dir():
                state = place.stat()
                return state.st_mtime_ns, state.st_size
            records = place / ".records"
            folders = sorted(folder for folder in (records, *records.iterdir()) if folder.is_dir())
            return tuple((folder.name, folder.stat().st_mtime_ns) for folder in folders)
        except FileNotFoundError:
            return None

    def command_for(self, *names: str) -> str:
        """The command that makes these datasets."""
        pipelines = dict.fromkeys(MADE_BY[name] for name in names)
        return f"kedro run --pipelines={','.join(pipelines)}{self._suffix}"

    @property
    def command_for_all(self) -> str:
        """The command that does the whole mission."""
        return f"kedro run{self._suffix}"

    def _read(self, name: str) -> Any:
        try:
            return self._stored.load(name)
        except BrokenFileError as error:
            place = self._stored.place(name)
            message = f"{place} cannot be read ({error}). Delete it, then make it again."
            raise UnavailableError(Problem(message, self.command_for(name))) from error


def _in_words(name: str) -> str:
    return name.replace("_", " ")
