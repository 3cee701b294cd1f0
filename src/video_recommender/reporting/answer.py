"""Results for videos that are not in the corpus: objects, category, similar videos and ad."""

import logging
from dataclasses import dataclass

import pandas as pd
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict

from video_recommender.advertising.policies import AdChoice, QNetworkPolicy, can_rank_new_video, rank_ads_for_new_video
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import Video, VideoError, VideoLink, video_from_path
from video_recommender.networks.detections import classify_frames
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.object_segmenter import ObjectSegmenter, segment_video
from video_recommender.schemas import Detections, Segmentations, VideoFeatures, VideoPoints
from video_recommender.similarity.category_models import CategoryModel
from video_recommender.similarity.object_space import ObjectSpace
from video_recommender.similarity.recommender import RecommendationOptions, VideoRecommender
from video_recommender.sources.listing import list_folder, to_unicode
from video_recommender.storage.paths import parse_path

logger = logging.getLogger(__name__)

NEW_VIDEO = "new/video"  # `video_id` of the new video in tables; not used in the corpus
LISTED_OBJECTS = 5


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InferenceOptions(_Model):
    """Options of the inference stage (parameters_inference.yml): path of a video or of a folder of videos."""

    videos: str | None = None


class DetectedObject(_Model):
    """An object, its importance in the video, and the number of frames that show it."""

    name: str
    importance: float
    frames: int


class CategoryProbability(_Model):
    """The probability that the video belongs to a category."""

    category: str
    probability: float


class Neighbour(_Model):
    """A similar video of the corpus, its cosine similarity, and the shared objects, separated by commas."""

    rank: int
    video_id: str
    similarity: float
    shared_objects: str


class VideoAnswer(_Model):
    """Objects, categories and neighbours of a video, each best first, and its ad. `video` is its path.

    `status` is `ok`, the status of a `VideoError`, or `failed` after an unexpected error. Unless it is `ok`, all fields
    but `error` are empty. `ad` is None if advertising has not run for this object space.
    """

    video: str
    status: str = "ok"
    error: str = ""
    objects: tuple[DetectedObject, ...] = ()
    categories: tuple[CategoryProbability, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    ad: AdChoice | None = None

    def to_text(self) -> str:
        """Format the answer as text for the console."""
        if self.status != "ok":
            return f"{self.video}\nnot usable ({self.status}): {self.error}"
        objects = ", ".join(f"{shown.name} ({shown.importance:.0%})" for shown in self.objects) or "none"
        categories = ", ".join(f"{shown.category} ({shown.probability:.0%})" for shown in self.categories)
        neighbours = [
            f"  {near.rank:>2}. {near.video_id}, similarity {near.similarity:.2f}: {near.shared_objects or 'none'}"
            for near in self.neighbours
        ]
        lines = [self.video, f"objects: {objects}", f"category: {categories}", "most similar videos:", *neighbours]
        if self.ad is not None:
            length, probability = f"{self.ad.kind}, {self.ad.seconds:g} s", f"{self.ad.watch_probability:.0%}"
            revenue = f"expected revenue {self.ad.expected_reward:.2f}"
            lines.append(f"ad: {self.ad.ad_id} ({length}), watch probability {probability}, {revenue}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class CorpusModels:
    """Models of the corpus that analyse new videos; `network` is the network that processed the corpus."""

    network: FrameClassifier | ObjectSegmenter
    object_space: ObjectSpace
    video_features: DataFrame[VideoFeatures]
    category_classifier: CategoryModel
    recommender: VideoRecommender


@dataclass(frozen=True, eq=False)
class AdModels:
    """Models that select ads for new videos, trained on simulated viewers."""

    viewers: ViewerModel
    policy: QNetworkPolicy


@dataclass(frozen=True, eq=False)
class VideoDescription:
    """Objects (one row per object and frame), importances (one row) and point in object space (one row) of a video."""

    objects: DataFrame[Detections] | DataFrame[Segmentations]
    features: DataFrame[VideoFeatures]
    points: DataFrame[VideoPoints]


def list_new_videos(options: InferenceOptions) -> dict[str, Video]:
    """List the new videos, a file or those of a folder, by path; raise a `ValueError` if there are none."""
    usage = "run `kedro run --pipelines=inference --params=inference.videos=/path/to/a/video/or/folder`"
    if options.videos is None:
        raise ValueError(f"No video is given: {usage}")
    path = parse_path(options.videos)
    if not path.exists():
        raise ValueError(f"{path} cannot be found: {usage}")
    listed = list_folder(options.videos, remedy=usage) if path.is_dir() else []
    links = [video.fetch() for video in listed] or [VideoLink(path)]
    files = [link.target for link in links if isinstance(link, VideoLink)]
    return {to_unicode(str(file)): video_from_path(file) for file in sorted(files, key=str)}


def answer_for_file(
    name: str,
    video: Video,
    models: CorpusModels,
    ads: AdModels | None,
    preprocessing: PreprocessingOptions,
    recommendation: RecommendationOptions,
) -> VideoAnswer:
    """Compute the results for one file; turn any error into the status of the answer, and log unexpected errors."""
    try:
        description = describe_video(sample_frames(video, preprocessing).frames, models)
        return answer_for_video(name, description, models, ads, recommendation)
    except VideoError as error:
        return VideoAnswer(video=name, status=error.status, error=error.message)
    except Exception as error:
        logger.exception("Unexpected error while analysing %s", name)
        return VideoAnswer(video=name, status="failed", error=f"{type(error).__name__}: {error}")


def describe_video(frames: EncodedFrames, models: CorpusModels) -> VideoDescription:
    """Detect the objects of a video and compute their importance and the point in object space.

    Raises a `VideoError` if there are no frames or a frame is not a readable image.
    """
    space = models.object_space
    if isinstance(models.network, ObjectSegmenter):
        segmented = segment_video(frames, models.network)
        features = space.importances_of_video(NEW_VIDEO, segmented.objects, segmented.segmentation_scores)
        return VideoDescription(segmented.objects, features, space.transform(features))
    detected = classify_frames(frames, models.network)
    features = space.importances_of_video(NEW_VIDEO, detected.detections, detected.class_scores)
    return VideoDescription(detected.detections, features, space.transform(features))


def answer_for_video(
    name: str, description: VideoDescription, models: CorpusModels, ads: AdModels | None, options: RecommendationOptions
) -> VideoAnswer:
    """Compute the results for a video from its description; raise a `ValueError` if object spaces differ."""
    categories = rank_categories(models.category_classifier, description.points)
    choices = rank_new_video_ads(ads, description.points, categories)
    if ads is not None and not choices:
        logger.warning("No ad for %s: the object space has changed. Run `kedro run --pipelines=advertising`", name)
    return VideoAnswer(
        video=name,
        objects=_rank_objects(description),
        categories=categories,
        neighbours=_find_neighbours(description, models, options),
        ad=choices[0] if choices else None,
    )


def rank_categories(classifier: CategoryModel, points: DataFrame[VideoPoints]) -> tuple[CategoryProbability, ...]:
    """Compute the probability of each category for one video, sorted from the most probable."""
    ranked = pd.Series(classifier.predict_proba(points)[0], index=classifier.classes_).sort_values(ascending=False)
    return tuple(CategoryProbability(category=str(name), probability=value) for name, value in ranked.items())


def rank_new_video_ads(
    ads: AdModels | None, points: DataFrame[VideoPoints], categories: tuple[CategoryProbability, ...]
) -> tuple[AdChoice, ...]:
    """Rank all ads for one new video, best first; return none if advertising has not run for this object space."""
    if ads is None or not can_rank_new_video(ads.viewers, points):
        return ()
    probabilities = {prediction.category: prediction.probability for prediction in categories}
    return rank_ads_for_new_video(ads.viewers, ads.policy, points, probabilities)


def _rank_objects(description: VideoDescription) -> tuple[DetectedObject, ...]:
    frames = description.objects.drop_duplicates(["frame", "class_name"])["class_name"].value_counts()
    strongest = description.features.iloc[0].nlargest(LISTED_OBJECTS)
    return tuple(
        DetectedObject(name=str(name), importance=importance, frames=int(frames.get(name, 0)))
        for name, importance in strongest.items()
        if importance > 0
    )


def _find_neighbours(
    description: VideoDescription, models: CorpusModels, options: RecommendationOptions
) -> tuple[Neighbour, ...]:
    found = models.recommender.recommend(description.points, options.neighbours)
    shared = models.object_space.shared_objects(
        description.features.loc[found["video_id"]],
        models.video_features.loc[found["recommended_video_id"]],
        top=options.shared_objects,
    )
    rows = zip(found["rank"], found["recommended_video_id"], found["similarity"], shared, strict=True)
    return tuple(
        Neighbour(rank=rank, video_id=video_id, similarity=similarity, shared_objects=objects)
        for rank, video_id, similarity, objects in rows
    )
