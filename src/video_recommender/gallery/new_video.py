"""Analysis of an uploaded video, which is temporary and checked first, with the models of the corpus."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import av
import pandas as pd

from video_recommender.advertising.ad_selection import AdChoice
from video_recommender.gallery.gallery import CategorySection, Gallery, NeighbourCard, Section
from video_recommender.gallery.project_data import Notice, UnavailableError
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
NETWORKS: Final = {
    "classifier": "object_classifier",
    "finetuned": "finetuned_classifier",
    "segmenter": "object_segmenter",
}
"""The dataset with the network of each detector."""
FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf"
"""FFmpeg's names of the accepted formats: no playlists, no lists of files and no images."""
OPEN_OPTIONS: Final = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "enable_drefs": "0"}


class UploadRejectedError(Exception):
    """An upload is not analysed; the message gives the reason, `status` is that of HTTP (RFC 9110)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class UploadLimits:
    """Limits of an upload: size in millions of bytes, length, and resolution in millions of pixels."""

    megabytes: int = 500
    minutes: int = 30
    megapixels: int = 40


@dataclass(frozen=True)
class NewVideoDetails:
    """All results for a video that is not in the corpus: the most important objects, nearest videos, best ads first."""

    objects: tuple[str, ...]
    timeline: Timeline
    category: CategorySection
    neighbours: tuple[NeighbourCard, ...]
    ads: Section[tuple[AdChoice, ...]]


class NewVideoAnalyst:
    """Analyses one uploaded video at a time."""

    def __init__(self, gallery: Gallery, recommendation: RecommendationOptions, limits: UploadLimits) -> None:
        self.limits = limits
        self._gallery = gallery
        self._project = gallery.project
        self._recommendation = recommendation
        self._busy = Lock()

    def missing_models(self) -> Notice | None:
        """Name the models that must be trained before a video can be analysed; None if all are there."""
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
        names = ", ".join(name.replace("_", " ") for name in missing)
        return Notice(f"There is no {names} yet.", self._project.command_for(*missing))

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Reserve the analyst for one upload.

        Raises:
            UnavailableError: if a model is missing.
            UploadRejectedError: if another video is being analysed.
        """
        notice = self.missing_models()
        if notice is not None:
            raise UnavailableError(notice)
        if not self._busy.acquire(blocking=False):
            raise UploadRejectedError("Another video is being analysed. Try again when it is done.", 409)
        try:
            yield
        finally:
            self._busy.release()

    def analyse(self, video: Path) -> NewVideoDetails:
        """Detect objects and predict category, neighbours and ad; nothing is saved.

        Raises:
            UploadRejectedError: if the file is not a usable video.
            UnavailableError: if a model is missing.
        """
        check_video(video, self.limits)
        space, features, classifier, recommender = (self._project.load(name) for name in MODELS)
        models = CorpusModels(self._project.load(self._network()), space, features, classifier, recommender)
        try:
            sampled = sample_frames(VideoFile(video), self._preprocessing())
            description = describe_video(sampled.frames, models)
        except VideoError as error:
            raise UploadRejectedError(f"The video cannot be used: {error.status.replace('_', ' ')}.", 422) from error
        answer = answer_for_video(video.name, description, models, None, self._recommendation)
        rate = self._gallery.sampling.preprocessing.frames_per_second
        step = self._gallery.sampling.every_nth_frame if space.options.detector == "segmenter" else 1
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
        return NETWORKS[self._project.load("object_space").options.detector]

    def _preprocessing(self) -> PreprocessingOptions:
        """The options of the corpus, limited to the maximum length whatever duration the file claims."""
        options = self._gallery.sampling.preprocessing
        longest = round(self.limits.minutes * 60 * options.frames_per_second)
        return options.model_copy(update={"max_frames": min(longest, options.max_frames or longest)})

    def _ads(self, description: VideoDescription, answer: VideoAnswer) -> tuple[AdChoice, ...]:
        viewers, policy = self._project.load("viewer_model"), self._project.load("ad_policy")
        ads = rank_new_video_ads(AdModels(viewers, policy), description.points, answer.categories)
        if not ads:
            message = "The ad policy was trained for another object space."
            raise UnavailableError(Notice(message, self._project.command_for("ad_policy")))
        return ads


@asynccontextmanager
async def received_file(chunks: AsyncIterator[bytes], limits: UploadLimits) -> AsyncIterator[Path]:
    """Write an upload to a file in a temporary folder, which is deleted when the block ends.

    Raises:
        UploadRejectedError: if it is too large or empty.
    """
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
    """Check that a file, whatever its name, is a video in an accepted format and within the limits.

    Raises:
        UploadRejectedError: if it is not.
    """
    not_a_video = UploadRejectedError("The file is not a video in a known format.", 415)
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
        raise UploadRejectedError(f"Its frames have more than {limits.megapixels} million pixels.", 422)
    if seconds > limits.minutes * 60:
        raise UploadRejectedError(f"It is longer than {limits.minutes} minutes.", 422)
