"""Queries of the gallery: search, thumbnails, and the results for each video."""

import contextlib
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final, Generic, TypeVar
from uuid import uuid4

import pandas as pd

from video_recommender.advertising.policies import AdChoice, rank_ads
from video_recommender.gallery.project_data import DETECTORS, Notice, ProjectData, UnavailableError, UnreadableDataError
from video_recommender.gallery.timeline import Timeline, build_timeline
from video_recommender.gallery.video_index import VideoCard, VideoIndex
from video_recommender.media.frames import RgbImage
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.reporting.answer import CategoryProbability, rank_categories
from video_recommender.reporting.thumbnails import encode_thumbnail, middle_image
from video_recommender.storage.digests import fingerprint
from video_recommender.storage.partitions import Partitions

T = TypeVar("T")

logger = logging.getLogger(__name__)

INCOMPATIBILITIES: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""Raised if models and tables come from different versions or runs."""

PRELOADED: Final = (
    *("object_space", "detections", "frame_manifest", "category_predictions", "video_points", "category_classifier"),
    *("recommendations", "viewer_model", "ad_policy"),
)

CACHED_SIDE: Final = 320  # longer side of a thumbnail in pixels: sharp on high-density screens


@dataclass(frozen=True)
class Section(Generic[T]):
    """A section of a page: its content, or a notice that says why the content is missing."""

    content: T | None = None
    notice: Notice | None = None


@dataclass(frozen=True)
class CategorySection:
    """Category probabilities by the final classifier, highest first.

    `held_out` is the prediction of a classifier that was not trained on the video; None if there is no such prediction.
    """

    probabilities: tuple[CategoryProbability, ...]
    held_out: CategoryProbability | None = None
    true_category: str = ""


@dataclass(frozen=True)
class NeighbourCard:
    """A similar video with its cosine similarity and shared objects (comma-separated)."""

    card: VideoCard
    similarity: float
    shared_objects: str


@dataclass(frozen=True)
class VideoDetails:
    """All results for a video of the corpus. `ads` starts with the selected ad; the others follow, best first."""

    card: VideoCard
    timeline: Section[Timeline]
    category: Section[CategorySection]
    neighbours: Section[tuple[NeighbourCard, ...]]
    ads: Section[tuple[AdChoice, ...]]


class ThumbnailCache:
    """A folder of JPEG thumbnails, created on demand. You can delete the folder at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, video_id: str, version: str, make: Callable[[], RgbImage]) -> bytes:
        """Return the cached thumbnail of this version, or create it and delete other versions."""
        name = fingerprint(video_id)  # an id may contain `/` or `..`
        file = self._folder / f"{name}-{fingerprint(version)}.jpg"
        with contextlib.suppress(OSError):
            return file.read_bytes()
        jpeg = encode_thumbnail(make(), CACHED_SIDE)
        with contextlib.suppress(OSError):  # a thumbnail that cannot be saved is still shown
            self._save(file, jpeg)
            for stale in self._folder.glob(f"{name}-*.jpg"):
                if stale != file:
                    stale.unlink(missing_ok=True)
        return jpeg

    def _save(self, file: Path, jpeg: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".part-{uuid4().hex}")
        try:
            partial.write_bytes(jpeg)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


class Gallery:
    """Queries of the web pages, for a corpus that was processed with these options. Thread-safe."""

    def __init__(
        self,
        project: ProjectData,
        thumbnails: ThumbnailCache,
        preprocessing: PreprocessingOptions | None = None,
        every_nth_frame: int = 1,
    ) -> None:
        self.project = project
        self._thumbnails = thumbnails
        self.preprocessing = preprocessing or PreprocessingOptions()
        self.every_nth_frame = every_nth_frame
        self._index: tuple[Hashable, VideoIndex] | None = None
        self._lock = Lock()

    def index(self) -> VideoIndex:
        """Return the current index of all videos; raise an `UnavailableError` if the corpus is missing or empty."""
        with self._lock:
            names = ("video_manifest", "video_features", "videos", "frames")
            version = tuple(self.project.version(name) for name in names)
            if self._index is None or self._index[0] != version:
                self._index = version, self._build_index()
            return self._index[1]

    def preload(self) -> None:
        """Read all datasets into the cache, so that the first page loads quickly; ignore missing datasets."""
        self.section(self.index)
        for name in PRELOADED:
            self.section(partial(self.project.load_if_exists, name))

    def notices(self) -> tuple[Notice, ...]:
        """Return a notice for each missing dataset of the grid."""
        sections = [self.section(partial(self.project.load, name)) for name in ("frames", "video_features")]
        return tuple(section.notice for section in sections if section.notice)

    def details(self, card: VideoCard) -> VideoDetails:
        """Collect all results for a video."""
        return VideoDetails(
            card=card,
            timeline=self.section(lambda: self._timeline(card)),
            category=self.section(lambda: self._category(card)),
            neighbours=self.section(lambda: self._neighbours(card)),
            ads=self.section(lambda: self._ads(card)),
        )

    def video_file(self, card: VideoCard) -> Path | None:
        """Return the path of a video; None if the file is missing."""
        load = self._partitions("videos").get(card.video_id)
        if load is None:
            return None
        path: Path = load().path
        return path if path.is_file() else None

    def thumbnail(self, card: VideoCard) -> bytes | None:
        """Return the JPEG thumbnail of a video; None if it has neither frames nor a readable file."""
        load_frames = self._partitions("frames").get(card.video_id)
        file = self.video_file(card)
        with contextlib.suppress(VideoError):
            if load_frames is not None:
                return self._thumbnails.get(card.video_id, card.thumbnail, lambda: middle_image(load_frames()))
            if file is not None:
                return self._thumbnails.get(card.video_id, card.thumbnail, lambda: _first_image(file))
        return None

    def section(self, compute: Callable[[], T]) -> Section[T]:
        """Compute a section of a page; turn an error into a notice, so that the page shows the other sections."""
        try:
            return Section(content=compute())
        except UnavailableError as error:
            return Section(notice=error.notice)
        except INCOMPATIBILITIES as error:
            logger.warning("A section of the page is unavailable because of incompatible data", exc_info=error)
            return Section(notice=self.incompatible_data())

    def incompatible_data(self) -> Notice:
        """Return a notice for results that are incompatible with each other or with this version of the code."""
        message = "The results are incompatible: they come from different runs or from another version of the code."
        return Notice(message, self.project.command_for_all)

    def neighbour_cards(self, ranked: pd.DataFrame) -> tuple[NeighbourCard, ...]:
        """Look up the cards of neighbours; columns `recommended_video_id`, `similarity`, `shared_objects`."""
        index = self.index()
        return tuple(
            NeighbourCard(card, float(row["similarity"]), str(row["shared_objects"]))
            for row in ranked.to_dict("records")
            if (card := index.get(row["recommended_video_id"])) is not None
        )

    def _build_index(self) -> VideoIndex:
        if self.project.version("video_manifest") is None:
            raise UnavailableError(Notice("The corpus does not exist yet.", self.project.command_for_all))
        manifest = self.project.load("video_manifest")
        if manifest.empty:
            message = "The corpus is empty: its source contains no videos. Add videos to the source."
            raise UnavailableError(Notice(message, self.project.command_for_all))
        frames, videos = self._partitions("frames"), self._partitions("videos")
        thumbnails = {video_id: videos.states[video_id].digest for video_id in videos}
        thumbnails |= {video_id: f"frames {frames.states[video_id].digest}" for video_id in frames}
        return VideoIndex(manifest, self.section(lambda: self.project.load("video_features")).content, thumbnails)

    def _partitions(self, name: str) -> Partitions[Any]:
        return self.section(lambda: self.project.load(name)).content or Partitions()

    def _timeline(self, card: VideoCard) -> Timeline:
        space = self.project.load_if_exists("object_space")
        name, _ = DETECTORS["classifier" if space is None else space.options.detector]
        detections = self._partition(name, card)
        manifest = self.project.load("frame_manifest").set_index("video_id")
        times, frames = "", len(detections)
        if card.video_id in manifest.index:
            row = manifest.loc[card.video_id]
            times, frames = str(row["times_s"]), int(row["frames"])
        return build_timeline(
            detections,
            frames,
            card.duration_s,
            rate=self.preprocessing.frames_per_second,
            times_s=[float(time) for time in times.split(",")] if times else (),
            every_nth=self.every_nth_frame if name == "segmentations" else 1,
        )

    def _partition(self, name: str, card: VideoCard) -> pd.DataFrame:
        partitions: Partitions[pd.DataFrame] = self.project.load(name)
        state, command = partitions.states.get(card.video_id), self.project.command_for(name)
        if state is None:
            raise UnavailableError(Notice("Object detection has not processed this video yet.", command))
        if not state.is_ok:
            raise UnavailableError(Notice(f"Object detection failed for this video: {state.error}.", command))
        try:
            return partitions.load(card.video_id)
        except UnreadableDataError as error:
            raise UnavailableError(Notice(f"The {name} of this video cannot be read ({error}).", command)) from error

    def _category(self, card: VideoCard) -> CategorySection:
        predictions = self.project.load("category_predictions").set_index("video_id")
        held_out = None
        if card.video_id in predictions.index:
            row = predictions.loc[card.video_id]
            if pd.notna(row["fold"]):
                held_out = CategoryProbability(category=row["predicted_category"], probability=row["probability"])
        points = self.project.load("video_points")
        if card.video_id not in points.index:
            message = "This video has no point in object space because no objects were detected in it."
            raise UnavailableError(Notice(message, self.project.command_for("object_space")))
        probabilities = rank_categories(self.project.load("category_classifier"), points.loc[[card.video_id]])
        return CategorySection(probabilities, held_out, card.category)

    def _neighbours(self, card: VideoCard) -> tuple[NeighbourCard, ...]:
        recommendations = self.project.load("recommendations")
        own = recommendations[recommendations["video_id"] == card.video_id].sort_values("rank")
        if own.empty:
            message = "This video has no recommendations."
            raise UnavailableError(Notice(message, self.project.command_for("recommendations")))
        return self.neighbour_cards(own)

    def _ads(self, card: VideoCard) -> tuple[AdChoice, ...]:
        viewers, policy = self.project.load("viewer_model"), self.project.load("ad_policy")
        if card.video_id not in viewers.video_ids:
            message = "This video has no ad."
            raise UnavailableError(Notice(message, self.project.command_for("ad_policy")))
        return rank_ads(viewers, policy, card.video_id)


def _first_image(file: Path) -> RgbImage:
    return next(sample_frames(VideoFile(file), PreprocessingOptions(max_frames=1)).frames.images())
