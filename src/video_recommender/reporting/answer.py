"""Answers for videos that are not in the corpus: objects, category, similar videos and ad."""

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

NEW_VIDEO = "new/video"  # `video_id` of the new video in tables; no video of the corpus has it
LISTED_OBJECTS = 5


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InferenceOptions(_Model):
    """Which videos to answer for (parameters_inference.yml)."""

    videos: str | None = None


class DetectedObject(_Model):
    """An object of the video: its importance, and the number of frames that show it."""

    name: str
    importance: float
    frames: int


class CategoryProbability(_Model):
    """The probability that the video belongs to a category."""

    category: str
    probability: float


class Neighbour(_Model):
    """A similar video of the corpus, with the cosine similarity and the objects that both show, comma-separated."""

    rank: int
    video_id: str
    similarity: float
    shared_objects: str


class VideoAnswer(_Model):
    """Objects, categories, neighbours (all best first) and first ad of the video with this path or URL.

    `status` is `ok`, that of a `VideoError`, or `failed` after an unexpected error; except for `ok`, there is only an
    `error`. `ad` is None if advertising has not run for this object space.
    """

    video: str
    status: str = "ok"
    error: str = ""
    objects: tuple[DetectedObject, ...] = ()
    categories: tuple[CategoryProbability, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    ad: AdChoice | None = None

    def in_words(self) -> str:
        """Format the answer as a few lines of text for the console."""
        if self.status != "ok":
            return f"{self.video}\nnot usable ({self.status}): {self.error}"
        objects = ", ".join(f"{shown.name} ({shown.importance:.0%})" for shown in self.objects) or "no known object"
        categories = ", ".join(f"{guess.category} ({guess.probability:.0%})" for guess in self.categories)
        neighbours = [
            f"  {near.rank:>2}. {near.video_id}, similarity {near.similarity:.2f}: {near.shared_objects or 'no object'}"
            for near in self.neighbours
        ]
        lines = [self.video, f"shows {objects}", f"category {categories}", "most similar", *neighbours]
        if self.ad is not None:
            length, watched = f"{self.ad.kind}, {self.ad.seconds:g} s", f"{self.ad.watch_probability:.0%}"
            lines.append(
                f"ad {self.ad.ad_id} ({length}): {watched} of viewers of such a video watch it, "
                f"which earns {self.ad.expected_reward:.2f} on average"
            )
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class CorpusModels:
    """What was fitted on the corpus and answers for new videos; `network` is the one that described the corpus."""

    network: FrameClassifier | ObjectSegmenter
    object_space: ObjectSpace
    video_features: DataFrame[VideoFeatures]
    category_classifier: CategoryModel
    recommender: VideoRecommender


@dataclass(frozen=True, eq=False)
class AdModels:
    """What was learnt from simulated viewers and selects ads for new videos."""

    viewers: ViewerModel
    policy: QNetworkPolicy


@dataclass(frozen=True, eq=False)
class VideoDescription:
    """The objects of one video, a row per object and frame; their importance and the point of the video, in one row."""

    objects: DataFrame[Detections] | DataFrame[Segmentations]
    features: DataFrame[VideoFeatures]
    points: DataFrame[VideoPoints]


def list_new_videos(options: InferenceOptions) -> dict[str, Video]:
    """List the videos to answer for, by path: one file or those of a folder; raise a ValueError if there are none."""
    usage = "run `kedro run --pipelines=inference --params=inference.videos=/path/to/a/video/or/folder`"
    if options.videos is None:
        raise ValueError(f"No video is named: {usage}")
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
    """Answer for one file, whatever it contains; an error becomes the status of the answer, and a bug is logged."""
    try:
        description = describe_video(sample_frames(video, preprocessing).frames, models)
        return answer_for_video(name, description, models, ads, recommendation)
    except VideoError as error:
        return VideoAnswer(video=name, status=error.status, error=error.message)
    except Exception as error:
        logger.exception("Unexpected error while answering for %s", name)
        return VideoAnswer(video=name, status="failed", error=f"{type(error).__name__}: {error}")


def describe_video(frames: EncodedFrames, models: CorpusModels) -> VideoDescription:
    """Detect the objects of a video, measure their importance and compute the point in object space.

    Raises a `VideoError` if there is no frame or a frame is not a readable image.
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
    """Answer for one video from its description; raise a ValueError if the models have different object spaces."""
    categories = rank_categories(models.category_classifier, description.points)
    choices = rank_new_video_ads(ads, description.points, categories)
    if ads is not None and not choices:
        logger.warning("No ad for %s: the object space has changed, run `kedro run --pipelines=advertising`", name)
    return VideoAnswer(
        video=name,
        objects=_rank_objects(description),
        categories=categories,
        neighbours=_find_neighbours(description, models, options),
        ad=choices[0] if choices else None,
    )


def rank_categories(classifier: CategoryModel, points: DataFrame[VideoPoints]) -> tuple[CategoryProbability, ...]:
    """Compute the probability of each category for one video, most probable first."""
    ranked = pd.Series(classifier.predict_proba(points)[0], index=classifier.classes_).sort_values(ascending=False)
    return tuple(CategoryProbability(category=str(name), probability=value) for name, value in ranked.items())


def rank_new_video_ads(
    ads: AdModels | None, points: DataFrame[VideoPoints], categories: tuple[CategoryProbability, ...]
) -> tuple[AdChoice, ...]:
    """Rank all ads for one new video, best first; empty if advertising has not run for this object space."""
    if ads is None or not can_rank_new_video(ads.viewers, points):
        return ()
    probabilities = {guess.category: guess.probability for guess in categories}
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
