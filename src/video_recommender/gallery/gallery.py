"""The corpus as people look at it: find videos, and tell what is known of each."""

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import pandas as pd

from video_recommender.gallery.ad_answers import explain_ad
from video_recommender.gallery.project_data import BrokenFileError, Problem, ProjectData, UnavailableError
from video_recommender.gallery.thumbnails import ThumbnailCache, picture_of_frames, picture_of_video
from video_recommender.gallery.timeline import FrameTimes, Timeline, build_timeline
from video_recommender.gallery.video_details import (
    AdAnswer,
    CategoryAnswer,
    CategoryGuess,
    Neighbour,
    Shown,
    VideoDetails,
)
from video_recommender.gallery.video_index import VideoCard, VideoIndex
from video_recommender.incremental.partitions import Partitions
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoError, VideoFile

T = TypeVar("T")

logger = logging.getLogger(__name__)

MISFITS: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What comes of models and tables that do not fit together."""

TABLES: Final = {"classifier": "detections", "finetuned": "finetuned_detections", "segmenter": "segmentations"}
"""Where each detector keeps what it has seen in each video."""

WARMED_UP: Final = (
    *("object_space", "detections", "frame_manifest", "category_predictions", "video_points", "category_classifier"),
    *("recommendations", "ad_recommendations", "ads", "viewer_model", "ad_policy"),
)


@dataclass(frozen=True)
class Sampling:
    """How the corpus was cut into frames and looked at.

    Attributes:
        preprocessing: how frames are taken.
        every_nth_frame: of which the segmenter looks at.
    """

    preprocessing: PreprocessingOptions = field(default_factory=PreprocessingOptions)
    every_nth_frame: int = 1


class Gallery:
    """Answers for what the web pages show; may be asked from many threads.

    Args:
        project: what runs have made.
        thumbnails: where small pictures are kept.
        sampling: how the corpus was cut into frames.
    """

    def __init__(self, project: ProjectData, thumbnails: ThumbnailCache, sampling: Sampling | None = None) -> None:
        self.project = project
        self._thumbnails = thumbnails
        self._sampling = sampling or Sampling()
        self._index: tuple[Hashable, VideoIndex] | None = None
        self._lock = Lock()

    def index(self) -> VideoIndex:
        """All videos, as they are now.

        Raises:
            UnavailableError: if there are none.
        """
        with self._lock:
            names = ("video_manifest", "video_features", "videos", "frames")
            version = tuple(self.project.version(name) for name in names)
            if self._index is None or self._index[0] != version:
                self._index = version, self._build_index()
            return self._index[1]

    def warm_up(self) -> None:
        """Read what the pages show, so that the first one comes as fast as the others; problems do not matter yet."""
        self.shown(self.index)
        for name in WARMED_UP:
            self.shown(lambda name=name: self.project.load_if_made(name))  # type: ignore[misc]

    def problems(self) -> tuple[Problem, ...]:
        """What keeps the grid from showing all that it could; empty if all is well."""
        return tuple(
            problem
            for name in ("frames", "video_features")
            if (problem := self.shown(lambda name=name: self.project.load(name)).problem)  # type: ignore[misc]
        )

    def details(self, card: VideoCard) -> VideoDetails:
        """Tell all that is known of a video."""
        return VideoDetails(
            card=card,
            timeline=self.shown(lambda: self._timeline(card)),
            category=self.shown(lambda: self._category(card)),
            neighbours=self.shown(lambda: self._neighbours(card)),
            ad=self.shown(lambda: self._ad(card)),
        )

    def video_file(self, card: VideoCard) -> Path | None:
        """Where a video lies; None if it is not there."""
        stored = self._partitions("videos").get(card.video_id)
        if stored is None or not stored.record.is_ok:
            return None
        path: Path = stored.load().path
        return path if path.is_file() else None

    def thumbnail(self, card: VideoCard) -> bytes | None:
        """A small JPEG of a video; None where there is none."""
        frames = self._partitions("frames").usable().get(card.video_id)
        file = self.video_file(card)
        try:
            if frames is not None:
                return self._thumbnails.get(card.video_id, card.thumbnail, lambda: picture_of_frames(frames.load()))
            if file is not None:
                return self._thumbnails.get(card.video_id, card.thumbnail, lambda: picture_of_video(VideoFile(file)))
        except VideoError:
            return None
        return None

    def shown(self, tell: Callable[[], T]) -> Shown[T]:
        """Tell one part of a page, or why it cannot be told, so that the other parts are there all the same."""
        try:
            return Shown(content=tell())
        except UnavailableError as error:
            return Shown(problem=error.problem)
        except MISFITS as error:
            logger.warning("A part of a page cannot be shown", exc_info=error)
            return Shown(problem=self.misfit())

    def misfit(self) -> Problem:
        """Why what is there cannot be used, where an older version has made it."""
        message = "What the runs have made does not fit together or is from another version."
        return Problem(message, self.project.command_for_all)

    def neighbours_of(self, ranked: pd.DataFrame) -> tuple[Neighbour, ...]:
        """Put videos to names.

        Args:
            ranked: `rank`, `recommended_video_id`, `similarity` and `shared_objects`, best first.
        """
        index = self.index()
        return tuple(
            Neighbour(int(row["rank"]), known, float(row["similarity"]), str(row["shared_objects"]))
            for row in ranked.to_dict("records")
            if (known := index.get(row["recommended_video_id"])) is not None
        )

    def _build_index(self) -> VideoIndex:
        if self.project.version("video_manifest") is None:
            raise UnavailableError(Problem("There is no video yet.", self.project.command_for_all))
        manifest = self.project.load("video_manifest")
        if manifest.empty:
            raise UnavailableError(
                Problem("The corpus is empty: no video was found in its source.", self.project.command_for_all)
            )
        frames, videos = self._partitions("frames"), self._partitions("videos")
        pictures = {video_id: stored.record.fingerprint for video_id, stored in videos.usable().items()}
        pictures |= {video_id: f"frames {stored.record.fingerprint}" for video_id, stored in frames.usable().items()}
        return VideoIndex(manifest, self.shown(lambda: self.project.load("video_features")).content, pictures)

    def _partitions(self, name: str) -> Partitions[Any]:
        return self.shown(lambda: self.project.load(name)).content or Partitions()

    def _timeline(self, card: VideoCard) -> Timeline:
        space = self.project.load_if_made("object_space")
        name = TABLES["classifier" if space is None else space.options.detector]
        seen = self._partition(name, card)
        manifest = self.project.load("frame_manifest").set_index("video_id")
        times, frames = "", len(seen)
        if card.video_id in manifest.index:
            cut = manifest.loc[card.video_id]
            times, frames = str(cut["times_s"]), int(cut["frames"])
        taken = FrameTimes.parse(self._sampling.preprocessing.frames_per_second, times)
        step = self._sampling.every_nth_frame if name == "segmentations" else 1
        return build_timeline(seen, frames, taken, card.duration_s, step)

    def _partition(self, name: str, card: VideoCard) -> pd.DataFrame:
        stored = self.project.load(name).get(card.video_id)
        command = self.project.command_for(name)
        if stored is None:
            raise UnavailableError(Problem("No object was looked for in this video yet.", command))
        if not stored.record.is_ok:
            raise UnavailableError(Problem(f"Its objects are not known: {stored.record.error}.", command))
        try:
            table: pd.DataFrame = stored.load()
        except BrokenFileError as error:
            raise UnavailableError(Problem(f"Its {name} cannot be read ({error}).", command)) from error
        return table

    def _category(self, card: VideoCard) -> CategoryAnswer:
        predictions = self.project.load("category_predictions").set_index("video_id")
        held_out = None
        if card.video_id in predictions.index:
            row = predictions.loc[card.video_id]
            if pd.notna(row["fold"]):
                held_out = CategoryGuess(str(row["predicted_category"]), float(row["probability"]))
        points = self.project.load("video_points")
        if card.video_id not in points.index:
            message = "It has no place in object space, because nothing was seen in it."
            raise UnavailableError(Problem(message, self.project.command_for("object_space")))
        classifier = self.project.load("category_classifier")
        guesses = rank_categories(classifier, points.loc[[card.video_id]])
        return CategoryAnswer(guesses, held_out, card.category)

    def _neighbours(self, card: VideoCard) -> tuple[Neighbour, ...]:
        recommendations = self.project.load("recommendations")
        own = recommendations[recommendations["video_id"] == card.video_id].sort_values("rank")
        if own.empty:
            message = "Nothing is recommended with this video."
            raise UnavailableError(Problem(message, self.project.command_for("recommendations")))
        return self.neighbours_of(own)

    def _ad(self, card: VideoCard) -> AdAnswer:
        load = self.project.load
        recommended, ads = load("ad_recommendations"), load("ads")
        viewers, policy = self.project.load_if_made("viewer_model"), self.project.load_if_made("ad_policy")
        answer = explain_ad(card.video_id, recommended, ads, viewers, policy)
        if answer is None:
            message = "No ad was chosen for this video."
            raise UnavailableError(Problem(message, self.project.command_for("ad_recommendations")))
        return answer


def rank_categories(classifier: Any, points: pd.DataFrame) -> tuple[CategoryGuess, ...]:
    """Tell how probably one video is of each category, most probable first."""
    ranked = pd.Series(classifier.predict_proba(points)[0], index=classifier.classes_).sort_values(ascending=False)
    return tuple(CategoryGuess(str(category), float(probability)) for category, probability in ranked.items())
