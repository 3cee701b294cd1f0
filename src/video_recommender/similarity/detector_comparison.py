"""How well categories are named and videos recommended, by what one detector or another has seen in them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.partitions import Partitions
from video_recommender.schemas import ClassEmbeddings, ClassScoreTable, Corpus, Detections
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.cross_validation import LabelledVideos, compare_models, labelled_videos
from video_recommender.similarity.exact_search import cosine_scores, find_neighbours, group_labels
from video_recommender.similarity.importance import (
    ObjectScores,
    evidence_of_detections,
    evidence_of_probabilities,
)
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.ranking_metrics import draw_queries, judge_lists, precision_at_k
from video_recommender.similarity.recommender import RecommendationOptions


@dataclass(frozen=True)
class SeenObjects:
    """What one detector has seen in the corpus.

    Attributes:
        detections: per video, the most probable object in each frame.
        class_score_table: each video's mean class probabilities.
        class_embeddings: every class that the detector knows, index `class_name`.
    """

    detections: Partitions[DataFrame[Detections]]
    class_score_table: DataFrame[ClassScoreTable]
    class_embeddings: DataFrame[ClassEmbeddings]

    def evidence(self, options: FeatureOptions) -> ObjectScores:
        """How much was seen of each object in each video."""
        usable, class_names = self.detections.usable(), pd.Index(self.class_embeddings.index)
        video_ids = pd.Index(usable, dtype=str)
        if options.evidence == "detections":
            return evidence_of_detections(usable.blocks(), video_ids, class_names)
        return evidence_of_probabilities(self.class_score_table, video_ids, class_names)


def judge_detector(
    seen: SeenObjects,
    corpus: DataFrame[Corpus],
    features: FeatureOptions,
    classification: ClassificationOptions,
    recommendation: RecommendationOptions,
) -> dict[str, float]:
    """Place videos in the object space of a detector, and judge what is learnt from there as the whole project does.

    Args:
        seen: what the detector has seen.
        corpus: category and group of each video.
        features: how objects become points.
        classification: candidates and folds; the same corpus and seed give the same folds for every detector.
        recommendation: how many videos are recommended, and how many lists are judged.

    Returns:
        `category_accuracy` of held-out videos and `precision_at_<neighbours>_other_groups`; what cannot be measured is
        left out.
    """
    evidence = seen.evidence(features)
    space = ObjectSpace(features).fit(evidence, seen.class_embeddings)
    videos = labelled_videos(space.transform(space.importances(evidence)), corpus)
    predictions = compare_models(
        videos, classification.candidates, classification.folds, classification.seed
    ).predictions_of_chosen
    judged = {
        "category_accuracy": float((predictions["category"] == predictions["predicted_category"]).mean()),
        f"precision_at_{recommendation.neighbours}_other_groups": _precision_among_other_groups(videos, recommendation),
    }
    return {name: value for name, value in judged.items() if not np.isnan(value)}


def _precision_among_other_groups(videos: LabelledVideos, options: RecommendationOptions) -> float:
    points, groups = videos.points.to_numpy(np.float32), group_labels(videos.points.index, videos.groups)
    queries = draw_queries(len(points), options.evaluated_videos, options.seed)
    scores = cosine_scores(points[queries], points)
    positions = find_neighbours(scores, groups[queries], groups, options.neighbours).positions
    return precision_at_k(judge_lists(positions, queries, videos.categories, groups))
