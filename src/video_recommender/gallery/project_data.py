"""Cached datasets of the project; for missing datasets, the command that creates them."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final, Protocol

from video_recommender.storage.partitions import STATE_FOLDER

DATASETS: Final = {
    "ingestion": ("videos", "video_manifest"),
    "preprocessing": ("frames", "frame_manifest"),
    "detection": ("detections", "object_classifier"),
    "segmentation": ("segmentations", "object_segmenter"),
    "transfer_learning": ("finetuned_detections", "finetuned_classifier"),
    "feature_engineering": ("object_space", "video_features", "video_points"),
    "classification": ("category_classifier", "category_predictions"),
    "recommendation": ("recommender", "recommendations"),
    "advertising": ("viewer_model", "ad_policy"),
}
"""The datasets that the gallery reads, by the pipeline that creates them."""
DETECTORS: Final = {
    "classifier": ("detections", "object_classifier"),
    "finetuned": ("finetuned_detections", "finetuned_classifier"),
    "segmenter": ("segmentations", "object_segmenter"),
}
"""Per detector, the datasets with its detections and its network."""
CREATED_BY: Final = {name: pipeline for pipeline, names in DATASETS.items() for name in names}


@dataclass(frozen=True)
class Notice:
    """Why a result is unavailable, and the command that creates it."""

    message: str
    command: str


class UnavailableError(Exception):
    """A dataset is missing or unreadable; pages show `notice` instead."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.message)
        self.notice = notice


class UnreadableDataError(Exception):
    """A file exists, but its content is invalid."""


class DataSource(Protocol):
    """The datasets of a project."""

    def path(self, name: str) -> Path:
        """Return the path of a dataset, which need not exist."""

    def load(self, name: str) -> Any:
        """Read a dataset; raise an `UnreadableDataError` if its content is invalid."""


class ProjectData:
    """Cache of a project's datasets, each valid until its files change. Thread-safe."""

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
                raise UnavailableError(Notice(f"Missing data: {name}.", self.command_for(name)))
            if name not in self._cache or self._cache[name][0] != version:
                self._cache[name] = version, self._read(name)
            return self._cache[name][1]

    def load_if_exists(self, name: str) -> Any:
        """Read a dataset as `load` does; return None if it does not exist."""
        return None if self.version(name) is None else self.load(name)

    def version(self, name: str) -> Hashable:
        """Identify the content of a dataset by modification times and size; return None if it does not exist."""
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
            message = f"{self._source.path(name)} cannot be read ({error}). Delete it."
            raise UnavailableError(Notice(message, self.command_for(name))) from error
