"""Cached results of the project's runs; for missing ones, the command that creates them."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final, Protocol

from video_recommender.storage.partitions import STATE_FOLDER

CREATED_BY: Final = {
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
    "viewer_model": "advertising",
    "ad_policy": "advertising",
}
"""The pipeline that creates each dataset."""


@dataclass(frozen=True)
class Notice:
    """The reason why something cannot be shown, and the command that helps."""

    message: str
    command: str


class UnavailableError(Exception):
    """A dataset is missing or unreadable; `notice` is to be shown in its place."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.message)
        self.notice = notice


class UnreadableDataError(Exception):
    """A file exists, but its content is not as expected."""


class DataSource(Protocol):
    """The datasets of a project."""

    def path(self, name: str) -> Path:
        """Return the file or folder of a dataset, whether it exists or not."""

    def load(self, name: str) -> Any:
        """Read a dataset; raise an `UnreadableDataError` if it exists, but cannot be read."""


class ProjectData:
    """Cache of a project's datasets, each valid until its file changes; thread-safe."""

    def __init__(self, source: DataSource, environment: str = "") -> None:
        self._source = source
        self._suffix = f" --env={environment}" if environment else ""
        self._cache: dict[str, tuple[Hashable, Any]] = {}
        self._lock = RLock()

    def load(self, name: str) -> Any:
        """Read a dataset, or return it from the cache; raise an `UnavailableError` if it is missing or unreadable."""
        with self._lock:
            version = self.version(name)
            if version is None:
                raise UnavailableError(Notice(f"There is no {name.replace('_', ' ')} yet.", self.command_for(name)))
            if name not in self._cache or self._cache[name][0] != version:
                self._cache[name] = version, self._read(name)
            return self._cache[name][1]

    def load_if_exists(self, name: str) -> Any:
        """Read a dataset as `load` does; None if it does not exist."""
        return None if self.version(name) is None else self.load(name)

    def version(self, name: str) -> Hashable:
        """Identify the current content of a dataset by its times and sizes on disk; None if it does not exist."""
        path = self._source.path(name)
        try:
            if not path.is_dir():
                status = path.stat()
                return status.st_mtime_ns, status.st_size
            segments = sorted((path / STATE_FOLDER).iterdir())
            return tuple((segment.name, segment.stat().st_mtime_ns) for segment in segments)
        except FileNotFoundError:
            return None

    def command_for(self, *names: str) -> str:
        """Return the command that creates these datasets."""
        pipelines = dict.fromkeys(CREATED_BY[name] for name in names)
        return f"kedro run --pipelines={','.join(pipelines)}{self._suffix}"

    @property
    def command_for_all(self) -> str:
        """The command that runs all stages."""
        return f"kedro run{self._suffix}"

    def _read(self, name: str) -> Any:
        try:
            return self._source.load(name)
        except UnreadableDataError as error:
            message = f"{self._source.path(name)} cannot be read ({error}). Delete it, then create it again."
            raise UnavailableError(Notice(message, self.command_for(name))) from error
