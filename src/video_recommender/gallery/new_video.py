"""All that can be told of a video that is not in the corpus, with the functions of the inference pipeline."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.gallery.ad_answers import explain_new_ad
from video_recommender.gallery.gallery import Gallery, Sampling
from video_recommender.gallery.project_data import Problem, ProjectData, UnavailableError
from video_recommender.gallery.timeline import FrameTimes, build_timeline
from video_recommender.gallery.uploads import UploadCeilings, UploadRefusedError, check_video
from video_recommender.gallery.video_details import (
    AdAnswer,
    CategoryAnswer,
    CategoryGuess,
    NewVideoDetails,
)
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.sampling import PreprocessingOptions, SampledFrames, sample_frames
from video_recommender.media.video import VideoError, VideoFile
from video_recommender.networks.detections import classify_frames
from video_recommender.networks.object_segmenter import segment_video
from video_recommender.pipelines.inference.nodes import answer_for_new_video, place_new_video
from video_recommender.reporting.answer import CategoryProbability, InferenceOptions, VideoAnswer
from video_recommender.schemas import ClassScores, Detections, Segmentations, SegmentationScores, VideoPoints

NEEDED: Final = ("object_space", "video_features", "category_classifier", "recommender")
NETWORKS: Final = {
    "classifier": "object_classifier",
    "finetuned": "finetuned_classifier",
    "segmenter": "object_segmenter",
}
"""Which network each detector is."""


@dataclass(frozen=True)
class _Seen:
    detections: DataFrame[Detections]
    probabilities: DataFrame[ClassScores]
    segmentations: DataFrame[Segmentations]
    segmentation_scores: DataFrame[SegmentationScores]
    is_segmented: bool

    @property
    def objects(self) -> pd.DataFrame:
        return self.segmentations if self.is_segmented else self.detections


class NewVideoAnalyst:
    """Tells all of one new video at a time.

    Args:
        gallery: the corpus.
        sampling: how the corpus was cut into frames.
        inference: how much to tell.
        ceilings: the most that a video may be.
    """

    def __init__(
        self, gallery: Gallery, sampling: Sampling, inference: InferenceOptions, ceilings: UploadCeilings
    ) -> None:
        self.ceilings = ceilings
        self._gallery = gallery
        self._sampling = sampling
        self._inference = inference
        self._busy = Lock()

    @property
    def project(self) -> ProjectData:
        """What runs have made."""
        return self._gallery.project

    def problem(self) -> Problem | None:
        """What must be run before a new video can be analysed; None if nothing."""
        try:
            self._gallery.index()
            missing = [name for name in NEEDED if self.project.version(name) is None]
            if not missing:
                network = self._network()
                missing = [network] if self.project.version(network) is None else []
        except UnavailableError as error:
            return error.problem
        if not missing:
            return None
        names = ", ".join(name.replace("_", " ") for name in missing)
        return Problem(f"There is no {names} yet.", self.project.command_for(*missing))

    def begin(self) -> None:
        """Take the only place there is; give it back with `end`.

        Raises:
            UploadRefusedError: if another video is being analysed.
        """
        if not self._busy.acquire(blocking=False):
            raise UploadRefusedError("Another video is being analysed. Try again when it is done.", 409)

    def end(self) -> None:
        """Let the next one in."""
        self._busy.release()

    def analyse(self, video: Path) -> NewVideoDetails:
        """Tell what it shows, its category, its neighbours and its ad.

        Args:
            video: the file; nothing is kept of it.

        Raises:
            UploadRefusedError: if it is not a usable video.
            UnavailableError: if something must be run first.
        """
        check_video(video, self.ceilings)
        space, features, classifier, recommender = (self.project.load(name) for name in NEEDED)
        try:
            sampled = sample_frames(VideoFile(video), self._options())
            seen = self._look(sampled.frames)
        except VideoError as error:
            raise UploadRefusedError(f"The video cannot be used: {error.status.replace('_', ' ')}.", 422) from error
        own_features, own_points = place_new_video(
            seen.detections, seen.probabilities, seen.segmentations, seen.segmentation_scores, space
        )
        answer = answer_for_new_video(
            seen.detections,
            seen.segmentations,
            own_features,
            own_points,
            features,
            space,
            classifier,
            recommender,
            viewer_model=None,  # of its ad, more is told below than the pipeline tells
            ad_features=None,
            ad_policy=None,
            options=self._inference,
        )
        return self._details(VideoAnswer.model_validate(answer), seen, sampled, own_points)

    def _network(self) -> str:
        return NETWORKS[self.project.load("object_space").options.detector]

    def _options(self) -> PreprocessingOptions:
        """As the corpus was cut, but never more than the ceiling allows, whatever a file says of its length."""
        options = self._sampling.preprocessing
        most = round(self.ceilings.minutes * 60 * options.frames_per_second)
        return options.model_copy(update={"max_frames": min(most, options.max_frames or most)})

    def _look(self, frames: EncodedFrames) -> _Seen:
        network = self._network()
        model: Any = self.project.load(network)
        if network == "object_segmenter":
            segmented = segment_video(frames, model)
            nothing = Detections.empty(), ClassScores.empty()
            return _Seen(*nothing, segmented.objects, segmented.segmentation_scores, is_segmented=True)
        named = classify_frames(frames, model)
        return _Seen(
            named.detections,
            named.class_scores,
            Segmentations.empty(),
            SegmentationScores.empty(),
            is_segmented=False,
        )

    def _details(
        self, answer: VideoAnswer, seen: _Seen, sampled: SampledFrames, points: DataFrame[VideoPoints]
    ) -> NewVideoDetails:
        times = FrameTimes(self._sampling.preprocessing.frames_per_second, sampled.times_s)
        step = self._sampling.every_nth_frame if seen.is_segmented else 1
        ranked = pd.DataFrame([near.model_dump() for near in answer.neighbours])
        return NewVideoDetails(
            objects=tuple(shown.name for shown in answer.objects if shown.importance > 0),
            timeline=build_timeline(seen.objects, len(sampled.frames), times, None, step),
            category=CategoryAnswer(
                tuple(CategoryGuess(guess.category, guess.probability) for guess in answer.categories)
            ),
            neighbours=self._gallery.neighbours_of(ranked.rename(columns={"video_id": "recommended_video_id"})),
            ad=self._gallery.shown(lambda: self._ad(points, answer.categories)),
        )

    def _ad(self, points: DataFrame[VideoPoints], categories: tuple[CategoryProbability, ...]) -> AdAnswer:
        load = self.project.load_if_made
        believed = {guess.category: guess.probability for guess in categories}
        answer = explain_new_ad(points, believed, load("ad_features"), load("viewer_model"), load("ad_policy"))
        if answer is None:
            message = "No agent has learnt which ad to show before such videos."
            raise UnavailableError(Problem(message, self.project.command_for("ad_policy")))
        return answer
