"""Answer for one video that is not in the corpus."""

import logging
from dataclasses import asdict
from typing import TypeVar

import pandas as pd
import pandera.pandas as pa
from pandera.typing import DataFrame
from pydantic import JsonValue

from video_recommender.advertising.ad_selection import choose_first_ad
from video_recommender.advertising.corpus_viewers import VideoProjection
from video_recommender.advertising.q_network_policy import QNetworkPolicy
from video_recommender.advertising.viewer_model import ViewerModel
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.sampling import PreprocessingOptions, sample_frames
from video_recommender.media.video import VideoFile
from video_recommender.networks.detections import name_objects
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.object_segmenter import ObjectSegmenter, segment_video
from video_recommender.reporting.answer import (
    AdForVideo,
    CategoryProbability,
    InferenceOptions,
    NearVideo,
    SeenObject,
    VideoAnswer,
)
from video_recommender.schemas import (
    ClassScores,
    Detections,
    Segmentations,
    SegmentationScores,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.category_models import CategoryModel
from video_recommender.similarity.object_space import ObjectSpace
from video_recommender.similarity.recommender import VideoRecommender

logger = logging.getLogger(__name__)

Table = TypeVar("Table", bound=pa.DataFrameModel)

NEW_VIDEO = "new/video"
"""What the new video is called in tables; it cannot be a neighbour of itself, because the corpus does not hold it."""

SHOWN_OBJECTS = 5


def sample_new_video(inference: InferenceOptions, preprocessing: PreprocessingOptions) -> EncodedFrames:
    """Cut the new video into frames, as the corpus was.

    Raises:
        ValueError: if no video is named.
        VideoError: if it is not a usable video.
    """
    if inference.video is None:
        raise ValueError("No video is named: kedro run --pipelines=inference --params=inference.video=/path/new.mp4")
    return sample_frames(VideoFile(inference.video.expanduser()), preprocessing).frames


def name_objects_in_new_video(
    new_video_frames: FrameFolder,
    object_classifier: FrameClassifier,
    finetuned_classifier: FrameClassifier | None,
    object_space: ObjectSpace,
) -> tuple[DataFrame[Detections], DataFrame[ClassScores]]:
    """Name the object in each of its frames, and the mean probability of each object, as in the corpus."""
    chosen = finetuned_classifier if object_space.options.detector == "finetuned" else object_classifier
    if chosen is None:
        raise ValueError("There is no finetuned network yet: run `kedro run --pipelines=transfer_learning` first")
    named = name_objects(new_video_frames, chosen)
    return named.detections, named.class_scores


def segment_new_video(
    new_video_frames: FrameFolder, object_segmenter: ObjectSegmenter | None, object_space: ObjectSpace
) -> tuple[DataFrame[Segmentations], DataFrame[SegmentationScores]]:
    """Find the objects in its frames, and what was seen of each class, if that is how the corpus was described."""
    if object_segmenter is None or object_space.options.detector != "segmenter":
        return _empty(Segmentations), _empty(SegmentationScores)
    segmented = segment_video(new_video_frames, object_segmenter)
    return segmented.objects, segmented.segmentation_scores


def place_new_video(
    new_video_detections: DataFrame[Detections],
    new_video_class_scores: DataFrame[ClassScores],
    new_video_segmentations: DataFrame[Segmentations],
    new_video_segmentation_scores: DataFrame[SegmentationScores],
    object_space: ObjectSpace,
) -> tuple[DataFrame[VideoFeatures], DataFrame[VideoPoints]]:
    """Measure how important each object is in it, and place it in object space."""
    if object_space.options.detector == "segmenter":
        features = object_space.importances_of_video(NEW_VIDEO, new_video_segmentations, new_video_segmentation_scores)
    else:
        features = object_space.importances_of_video(NEW_VIDEO, new_video_detections, new_video_class_scores)
    return features, object_space.transform(features)


def answer_for_new_video(
    new_video_detections: DataFrame[Detections],
    new_video_segmentations: DataFrame[Segmentations],
    new_video_features: DataFrame[VideoFeatures],
    new_video_points: DataFrame[VideoPoints],
    video_features: DataFrame[VideoFeatures],
    object_space: ObjectSpace,
    category_classifier: CategoryModel,
    recommender: VideoRecommender,
    viewer_model: ViewerModel | None,
    ad_features: VideoProjection | None,
    ad_policy: QNetworkPolicy | None,
    options: InferenceOptions,
) -> dict[str, JsonValue]:
    """Tell its objects, its category with probabilities, its neighbours and its ad, and why.

    Returns:
        A `VideoAnswer` as JSON.
    """
    neighbours = recommender.recommend(new_video_points, options.neighbours)
    shared = object_space.shared_objects(
        new_video_features.loc[neighbours["video_id"]],
        video_features.loc[neighbours["recommended_video_id"]],
        top=options.shared_objects,
    )
    is_segmented = object_space.options.detector == "segmenter"
    seen = new_video_segmentations.drop_duplicates(["frame", "class_name"]) if is_segmented else new_video_detections
    categories = _categories(category_classifier, new_video_points)
    return VideoAnswer(
        video=str(options.video),
        objects=_objects(new_video_features, seen["class_name"]),
        categories=categories,
        neighbours=tuple(
            NearVideo(rank=rank, video_id=video_id, similarity=similarity, shared_objects=objects)
            for rank, video_id, similarity, objects in zip(
                neighbours["rank"], neighbours["recommended_video_id"], neighbours["similarity"], shared, strict=True
            )
        ),
        ad=_ad(viewer_model, ad_features, ad_policy, new_video_points, categories),
    ).to_json()


def _ad(
    viewers: ViewerModel | None,
    features: VideoProjection | None,
    policy: QNetworkPolicy | None,
    points: DataFrame[VideoPoints],
    categories: tuple[CategoryProbability, ...],
) -> AdForVideo | None:
    if viewers is None or features is None or policy is None:
        return None
    if not features.fits(points):
        logger.warning("No ad is named: it was learnt from other points. Run `kedro run --pipelines=advertising` first")
        return None
    believed = {guess.category: guess.probability for guess in categories}
    return AdForVideo(**asdict(choose_first_ad(viewers, policy, features.project(points)[0], believed)))


def _empty(schema: type[Table]) -> DataFrame[Table]:
    return schema.validate(pd.DataFrame(columns=list(schema.to_schema().columns)))


def _objects(features: pd.DataFrame, seen: pd.Series) -> tuple[SeenObject, ...]:
    frames = seen.value_counts()
    strongest = features.iloc[0].nlargest(SHOWN_OBJECTS)
    return tuple(
        SeenObject(name=str(name), importance=importance, frames=int(frames.get(name, 0)))
        for name, importance in strongest.items()
    )


def _categories(classifier: CategoryModel, points: pd.DataFrame) -> tuple[CategoryProbability, ...]:
    ranked = pd.Series(classifier.predict_proba(points)[0], index=classifier.classes_).sort_values(ascending=False)
    return tuple(
        CategoryProbability(category=str(category), probability=probability) for category, probability in ranked.items()
    )
