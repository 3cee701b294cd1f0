"""Predict objects, category, neighbours and ad of new videos, which are not in the corpus."""

import logging

from pandera.typing import DataFrame
from pydantic import JsonValue

from video_recommender.advertising.policies import QNetworkPolicy
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.object_segmenter import ObjectSegmenter
from video_recommender.reporting.answer import (
    AdModels,
    CorpusModels,
    InferenceOptions,
    answer_for_file,
    list_new_videos,
)
from video_recommender.schemas import VideoFeatures
from video_recommender.similarity.category_models import CategoryModel
from video_recommender.similarity.object_space import ObjectSpace
from video_recommender.similarity.recommender import RecommendationOptions, VideoRecommender

logger = logging.getLogger(__name__)


def answer_for_new_videos(
    object_classifier: FrameClassifier,
    finetuned_classifier: FrameClassifier | None,
    object_segmenter: ObjectSegmenter | None,
    object_space: ObjectSpace,
    video_features: DataFrame[VideoFeatures],
    category_classifier: CategoryModel,
    recommender: VideoRecommender,
    viewer_model: ViewerModel | None,
    ad_policy: QNetworkPolicy | None,
    inference: InferenceOptions,
    preprocessing: PreprocessingOptions,
    recommendation: RecommendationOptions,
) -> list[JsonValue]:
    """Predict objects, category, neighbours and ad of a video file, or of each video of a folder.

    Returns:
        One `VideoAnswer` per file as JSON, in order of path. The answer for an unusable file has only a status and an
        error, and the other files are still processed.

    Raises:
        ValueError: if no video is set or found, or if the network that processed the corpus is missing.
    """
    videos = list_new_videos(inference)
    network, stage = {
        "classifier": (object_classifier, "detection"),
        "finetuned": (finetuned_classifier, "transfer_learning"),
        "segmenter": (object_segmenter, "segmentation"),
    }[object_space.options.detector]
    if network is None:
        raise ValueError(f"The network of the {stage} stage is missing: run `kedro run --pipelines={stage}` first")
    models = CorpusModels(network, object_space, video_features, category_classifier, recommender)
    ads = None if viewer_model is None or ad_policy is None else AdModels(viewer_model, ad_policy)
    answers: list[JsonValue] = []
    for number, (name, video) in enumerate(videos.items(), start=1):
        logger.info("Processing new video %d of %d: %s", number, len(videos), name)
        answers.append(answer_for_file(name, video, models, ads, preprocessing, recommendation).model_dump(mode="json"))
    return answers
