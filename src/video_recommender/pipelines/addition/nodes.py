"""Add new videos to a finished corpus, with the models as they are: the cost is that of the new videos."""

import logging

import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.partitions import Partitions
from video_recommender.pipelines.addition.list_merging import merge_lists
from video_recommender.schemas import (
    CategoryPredictions,
    ClassScores,
    ClassScoreTable,
    Corpus,
    Detections,
    Recommendations,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.category_models import CategoryModel, name_categories
from video_recommender.similarity.importance import (
    ObjectScores,
    evidence_of_detections,
    evidence_of_probabilities,
)
from video_recommender.similarity.object_space import ObjectSpace
from video_recommender.similarity.recommender import RecommendationOptions, VideoRecommender

logger = logging.getLogger(__name__)


def place_added_videos(
    detections: Partitions[DataFrame[Detections]],
    class_scores: Partitions[DataFrame[ClassScores]],
    category_predictions: DataFrame[CategoryPredictions],
    recommendations: DataFrame[Recommendations],
    object_space: ObjectSpace,
) -> tuple[DataFrame[VideoFeatures], DataFrame[VideoPoints]]:
    """Place the videos that are new since the models were made, where they would lie if they had been there.

    With an importance that weighs objects by how common they are, they are weighed as in the corpus without them.

    Args:
        detections: per video, the most probable object in each frame; of the new ones only these are read.
        class_scores: per video, the mean probability of each object; the same.
        category_predictions: of the videos that are done.
        recommendations: likewise; a video that is in one of the two only was being added when a run was stopped.
        object_space: as the corpus was placed.

    Returns:
        Importance of objects, and points, of the new videos: no rows if there are none.

    Raises:
        ValueError: if the corpus was described by another detector than the classifier.
    """
    if object_space.options.detector != "classifier":
        raise ValueError(
            f"Videos cannot be added to a corpus described by features.detector={object_space.options.detector}: "
            "`kedro run` makes everything anew"
        )
    done = set(category_predictions["video_id"]) & set(recommendations["video_id"])
    usable = detections.usable()
    added = [video_id for video_id in usable if video_id not in done]
    gone = len(set(category_predictions["video_id"]).difference(usable))
    logger.info("%d new video(s) beside %d", len(added), len(done))
    if gone:
        logger.warning("%d video(s) are gone or failed, and still recommended: `kedro run` makes all lists anew", gone)
    evidence = _evidence(detections.only(added), class_scores.only(added), object_space)
    features = object_space.importances(evidence)
    return features, object_space.transform(features)


def extend_object_tables(
    video_features: DataFrame[VideoFeatures],
    video_points: DataFrame[VideoPoints],
    added_features: DataFrame[VideoFeatures],
    added_points: DataFrame[VideoPoints],
    object_space: ObjectSpace,
) -> tuple[DataFrame[VideoFeatures], DataFrame[VideoPoints]]:
    """Put the new videos into the tables of all.

    Returns:
        In alphabetical order of `video_id`; the objects in the network's order.
    """
    features = pd.concat([video_features.drop(added_features.index, errors="ignore"), added_features])
    seen = object_space.class_names_[object_space.class_names_.isin(features.columns)]
    points = pd.concat([video_points.drop(added_points.index, errors="ignore"), added_points])
    return (
        VideoFeatures.validate(features[seen].fillna(0).sort_index()),
        VideoPoints.validate(points.sort_index()),
    )


def extend_recommender(
    recommender: VideoRecommender, added_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus]
) -> VideoRecommender:
    """Let the new videos be recommended.

    Args:
        recommender: of the corpus without them.
        added_points: where they lie.
        corpus: of all videos: the group of each. Whether new videos repeat others is not known yet.

    Returns:
        Exact as before, or with the new videos in the cells of the index.
    """
    described = corpus.set_index("video_id")
    return recommender.with_videos(added_points, described["group"], described.loc[~described["is_used"], "repeats"])


def extend_recommendations(
    recommendations: DataFrame[Recommendations],
    recommender: VideoRecommender,
    video_points: DataFrame[VideoPoints],
    video_features: DataFrame[VideoFeatures],
    added_points: DataFrame[VideoPoints],
    object_space: ObjectSpace,
    options: RecommendationOptions,
) -> DataFrame[Recommendations]:
    """Make lists for the new videos, and put these into the lists of others that they are nearer to than who is there.

    Args:
        recommendations: without the new videos.
        recommender: of all videos.
        video_points: of all videos.
        video_features: importance of each object in all videos.
        added_points: where the new videos lie.
        object_space: names the objects that two videos share.
        options: as when the lists were made.

    Returns:
        Where all videos are compared, the lists that a whole run would make.

    Raises:
        ValueError: if the lists are shorter than `options` ask for, though there were videos enough.
    """
    added, k, apart = added_points.index, options.neighbours, options.exclude_same_group
    names_added = recommendations[["video_id", "recommended_video_id"]].isin(added).any(axis=1)  # of a stopped run
    longest = recommendations["rank"].max()
    if longest < k and not apart and longest < len(recommender.video_ids_.difference(added)) - 1:
        raise ValueError(
            f"The lists name {longest} videos each, and recommendation.neighbours is {k}: "
            "run `kedro run --pipelines=recommendation` first"
        )
    rivals = recommender.recommend(video_points.drop(added), k, apart, among=added)
    rivals = pd.concat([rivals, recommender.recommend(added_points, k, apart)])
    lists = merge_lists(recommendations[~names_added], rivals, k)
    is_new = lists["shared_objects"].isna()
    first, second = (pd.Index(lists.loc[is_new, name]) for name in ("video_id", "recommended_video_id"))
    shared = object_space.shared_objects_of_pairs(video_features, first, second, options.shared_objects)
    lists.loc[is_new, "shared_objects"] = shared
    return Recommendations.validate(lists)


def extend_predictions(
    category_predictions: DataFrame[CategoryPredictions],
    category_classifier: CategoryModel,
    added_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
) -> DataFrame[CategoryPredictions]:
    """Name the category of the new videos, by the classifier as it is.

    Returns:
        Of all videos; the fold of the new ones is empty, though the classifier has not learnt from them.
    """
    named = name_categories(category_classifier, added_points).assign(fold=pd.Series(dtype="Int64"))
    named.insert(0, "category", corpus.set_index("video_id")["category"].reindex(named.index))
    others = category_predictions[~category_predictions["video_id"].isin(added_points.index)]
    rows = pd.concat([others, named.rename_axis("video_id").reset_index()] if len(named) else [others])
    return CategoryPredictions.validate(rows.sort_values("video_id", ignore_index=True))


def _evidence(
    detections: Partitions[DataFrame[Detections]],
    class_scores: Partitions[DataFrame[ClassScores]],
    space: ObjectSpace,
) -> ObjectScores:
    video_ids = pd.Index(list(detections), dtype=str)
    if space.options.evidence == "detections":
        return evidence_of_detections(detections.blocks(), video_ids, space.class_names_)
    evidence = ClassScoreTable.validate(class_scores.table(list(ClassScoreTable.to_schema().columns)))
    return evidence_of_probabilities(evidence, video_ids, space.class_names_)
