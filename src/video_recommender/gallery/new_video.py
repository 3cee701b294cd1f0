"""Validation of an uploaded video and its analysis with the models of the corpus."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import av
import pandas as pd

from video_recommender.advertising.policies import AdChoice
from video_recommender.gallery.gallery import CategorySection, Gallery, NeighbourCard, Section
from video_recommender.gallery.project_data import DETECTORS, Notice, UnavailableError
from video_recommender.gallery.timeline import Timeline, build_timeline
from video_recommender.media.decoding import open_video
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.reporting.answer import (
    AdModels,
    CorpusModels,
    VideoAnswer,
    VideoDescription,
    answer_for_video,
    describe_video,
    rank_new_video_ads,
)
from video_recommender.similarity.recommender import RecommendationOptions

MODELS: Final = ("object_space", "video_features", "category_classifier", "recommender")
FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf"
"""FFmpeg's names of the accepted formats. Playlists, which refer to other files, and images are excluded."""
OPEN_OPTIONS: Final = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "enable_drefs": "0"}


class UploadRejectedError(Exception):
    """An upload is rejected for the reason in the message; `status` is the HTTP status (RFC 9110)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class UploadLimits:
    """Limits of an upload: file size in MB (10^6 bytes), duration in minutes, and frame size in megapixels."""

    megabytes: int = 500
    minutes: int = 30
    megapixels: int = 40


@dataclass(frozen=True)
class NewVideoDetails:
    """All results for a video that is not in the corpus; objects, neighbours and ads are sorted best first."""

    objects: tuple[str, ...]
    timeline: Timeline
    category: CategorySection
    neighbours: tuple[NeighbourCard, ...]
    ads: Section[tuple[AdChoice, ...]]


class NewVideoAnalyst:
    """Analyses uploaded videos, one at a time."""

    def __init__(self, gallery: Gallery, recommendation: RecommendationOptions, limits: UploadLimits) -> None:
        self.limits = limits
        self._gallery = gallery
        self._project = gallery.project
        self._recommendation = recommendation
        self._busy = Lock()

    def missing_models(self) -> Notice | None:
        """Return a notice that lists the missing models; None if all of them exist."""
        try:
            self._gallery.index()
            missing = [name for name in MODELS if self._project.version(name) is None]
            if not missing:
                network = self._network()
                missing = [network] if self._project.version(network) is None else []
        except UnavailableError as error:
            return error.notice
        if not missing:
            return None
        return Notice(f"Missing data: {', '.join(missing)}.", self._project.command_for(*missing))

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Reserve the analyst; raise an `UnavailableError` without models, an `UploadRejectedError` if it is busy."""
        notice = self.missing_models()
        if notice is not None:
            raise UnavailableError(notice)
        if not self._busy.acquire(blocking=False):
            raise UploadRejectedError("Another video is being analysed. Try again later.", 409)
        try:
            yield
        finally:
            self._busy.release()

    def analyse(self, video: Path) -> NewVideoDetails:
        """Compute all results for a video; raise an `UploadRejectedError` if it is not usable."""
        check_video(video, self.limits)
        space, features, classifier, recommender = (self._project.load(name) for name in MODELS)
        models = CorpusModels(self._project.load(self._network()), space, features, classifier, recommender)
        try:
            sampled = sample_frames(VideoFile(video), self._preprocessing())
            description = describe_video(sampled.frames, models)
        except VideoError as error:
            raise UploadRejectedError(f"The video is not usable: {error.status.replace('_', ' ')}.", 422) from error
        answer = answer_for_video(video.name, description, models, None, self._recommendation)
        rate = self._gallery.preprocessing.frames_per_second
        step = self._gallery.every_nth_frame if space.options.detector == "segmenter" else 1
        neighbours = pd.DataFrame([near.model_dump() for near in answer.neighbours])
        return NewVideoDetails(
            objects=tuple(shown.name for shown in answer.objects),
            timeline=build_timeline(
                description.objects, len(sampled.frames), None, rate=rate, times_s=sampled.times_s, every_nth=step
            ),
            category=CategorySection(answer.categories),
            neighbours=self._gallery.neighbour_cards(neighbours.rename(columns={"video_id": "recommended_video_id"})),
            ads=self._gallery.section(lambda: self._ads(description, answer)),
        )

    def _network(self) -> str:
        return DETECTORS[self._project.load("object_space").options.detector][1]

    def _preprocessing(self) -> PreprocessingOptions:
        """Return the options of the corpus with a limit on frames, because the duration in the file may be wrong."""
        options = self._gallery.preprocessing
        longest = round(self.limits.minutes * 60 * options.frames_per_second)
        return options.model_copy(update={"max_frames": min(longest, options.max_frames or longest)})

    def _ads(self, description: VideoDescription, answer: VideoAnswer) -> tuple[AdChoice, ...]:
        viewers, policy = self._project.load("viewer_model"), self._project.load("ad_policy")
        ads = rank_new_video_ads(AdModels(viewers, policy), description.points, answer.categories)
        if not ads:
            message = "The ad policy was trained on another object space."
            raise UnavailableError(Notice(message, self._project.command_for("ad_policy")))
        return ads


@asynccontextmanager
async def received_file(chunks: AsyncIterator[bytes], limits: UploadLimits) -> AsyncIterator[Path]:
    """Write an upload to a temporary file; raise an `UploadRejectedError` if it is too large or empty."""
    with tempfile.TemporaryDirectory(prefix="new-video-") as folder:
        path, size = Path(folder) / "video", 0
        with path.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > limits.megabytes * 1_000_000:
                    raise UploadRejectedError(f"The file is larger than {limits.megabytes} MB.", 413)
                file.write(chunk)
        if not size:
            raise UploadRejectedError("The file is empty.", 422)
        yield path


def check_video(path: Path, limits: UploadLimits) -> None:
    """Raise an `UploadRejectedError` unless a file contains a video in an accepted format and within the limits."""
    not_a_video = UploadRejectedError("The file is not a video in a supported format.", 415)
    try:
        av.open(path.absolute(), options=OPEN_OPTIONS, metadata_errors="replace").close()
    except (av.FFmpegError, OSError, ValueError) as error:
        raise not_a_video from error
    try:
        with open_video(VideoFile(path)) as opened:
            pixels = opened.stream.width * opened.stream.height
            seconds = (opened.container.duration or 0) / av.time_base
    except VideoError as error:
        message = "The file contains sound but no video." if error.status == "audio_only" else str(not_a_video)
        raise UploadRejectedError(message, 415) from error
    if pixels > limits.megapixels * 1_000_000:
        raise UploadRejectedError(f"The frames have more than {limits.megapixels} million pixels.", 422)
    if seconds > limits.minutes * 60:
        raise UploadRejectedError(f"The video is longer than {limits.minutes} minutes.", 422)
