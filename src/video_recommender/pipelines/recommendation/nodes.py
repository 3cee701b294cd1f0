"""Name the ten videos nearest to each video, and tell how good they are."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.incremental.partitions import Partitions
from video_recommender.schemas import (
    ClassEmbeddings,
    ClassScoreTable,
    Corpus,
    Detections,
    ImportanceReport,
    ObjectCounts,
    RecommendationReport,
    Recommendations,
    VideoEmbeddings,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.exact_search import (
    Exclusion,
    Labels,
    Scores,
    cosine_scores,
    find_neighbours_among,
    group_labels,
    random_scores,
)
from video_recommender.similarity.importance import (
    ObjectScores,
    applicable_formulas,
    probability_matrix,
)
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.precision_figure import plot_precision
from video_recommender.similarity.ranking_metrics import (
    JudgedLists,
    catalogue_coverage,
    draw_queries,
    intra_list_diversity,
    judge_lists,
    map_at_k,
    ndcg_at_k,
    precision_at_k,
)
from video_recommender.similarity.recommender import RecommendationOptions, VideoRecommender
from video_recommender.similarity.title_similarity import title_scores

logger = logging.getLogger(__name__)

METRICS = ["precision", "ndcg", "map", "intra_list_diversity", "catalogue_coverage"]


def fit_recommender(
    video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus], options: RecommendationOptions
) -> VideoRecommender:
    """Remember every video's point and group.

    Args:
        video_points: where each video lies.
        corpus: the group of each, and which can be recommended: near duplicates that are kept out cannot.
        options: see `RecommendationOptions`.

    Returns:
        Recommends for these videos and for new ones.
    """
    described = corpus.set_index("video_id")
    kept_out = described[~described["is_used"]]
    recommendable = video_points.drop(index=kept_out.index, errors="ignore")
    recommender = VideoRecommender(options.index_from).fit(recommendable, described["group"], kept_out["repeats"])
    if recommender.index_ is not None:
        logger.info(
            "An index proposes neighbours among %d videos; it finds %.1f %% of the ten nearest",
            len(recommendable),
            100 * recommender.recall_,
        )
    return recommender


def recommend_videos(
    recommender: VideoRecommender,
    video_points: DataFrame[VideoPoints],
    video_features: DataFrame[VideoFeatures],
    object_space: ObjectSpace,
    options: RecommendationOptions,
) -> DataFrame[Recommendations]:
    """Name the nearest videos of each video, and the objects that made them alike.

    Args:
        recommender: fitted on the videos that can be recommended.
        video_points: the videos to recommend for.
        video_features: importance of each object, for these and for the recommended videos.
        object_space: names the objects that two videos share.
        options: see `RecommendationOptions`.

    Returns:
        Ordered by `video_id` and `rank`.
    """
    recommended = recommender.recommend(
        video_points.sort_index(), options.neighbours, exclude_same_group=options.exclude_same_group
    )
    if recommended.empty:
        logger.warning("There is nothing to recommend for %d video(s): add more videos", len(video_points))
    first, second = (pd.Index(recommended[name]) for name in ("video_id", "recommended_video_id"))
    shared = object_space.shared_objects_of_pairs(video_features, first, second, options.shared_objects)
    return Recommendations.validate(recommended.assign(shared_objects=pd.Series(shared, dtype="str")))


def count_objects(detections: Partitions[DataFrame[Detections]]) -> DataFrame[ObjectCounts]:
    """Count the frames of each video that show each object.

    Args:
        detections: per video, the most probable object in each frame.

    Returns:
        int32, a row per video that shows something (index `video_id`), a column per object.
    """
    names = ["video_id", "class_name"]
    counted = [
        block.groupby(names, observed=True).size().rename("frames").reset_index().astype(dict.fromkeys(names, "str"))
        for block in detections.usable().blocks()
    ]
    cells = pd.concat([pd.DataFrame({name: pd.Series(dtype="str") for name in names}), *counted])
    (rows, videos), (columns, objects) = (cells[name].factorize(sort=True) for name in names)
    counts = np.zeros((len(videos), len(objects)), np.int32)
    if len(cells):
        counts[rows, columns] = cells["frames"]
    return ObjectCounts.validate(
        pd.DataFrame(counts, pd.Index(videos, name="video_id"), pd.Index(objects, name="class_name"))
    )


def compare_recommenders(
    video_points: DataFrame[VideoPoints],
    object_counts: DataFrame[ObjectCounts],
    class_score_table: DataFrame[ClassScoreTable],
    video_embeddings: DataFrame[VideoEmbeddings],
    corpus: DataFrame[Corpus],
    options: RecommendationOptions,
) -> DataFrame[RecommendationReport]:
    """Judge object space beside simpler recommenders, with and without neighbours of the same group.

    Only videos with a category take part, as queries and as candidates, and no near duplicates that are kept out; a
    video is relevant if it has the query's category. Without neighbours of the same group, these are taken from the
    candidates before ranking and from the relevant videos. Diversity is measured in object space for all.

    Args:
        video_points: what `object_space` ranks by.
        object_counts: what `raw_counts` ranks by: number of frames by `video_id` (index) and object (columns).
        class_score_table: what `probabilities` ranks by: mean class probabilities, unaware that classes are alike.
        video_embeddings: what `embeddings` ranks by: the mean of what the network's last layer looks at.
        corpus: category, group and title of each video, and whether it counts.
        options: see `RecommendationOptions`.

    Returns:
        A row per recommender and choice of candidates.
    """
    labelled = _labelled(video_points.index, corpus)
    points = video_points.loc[labelled.index].to_numpy(np.float32)
    queries = draw_queries(len(labelled), options.evaluated_videos, options.seed)
    systems: dict[str, Callable[[], Scores]] = {
        "object_space": lambda: _cosines(points, queries),
        "embeddings": lambda: _cosines(_aligned(video_embeddings, labelled.index), queries),
        "probabilities": lambda: _cosines(_probabilities(class_score_table, labelled.index), queries),
        "raw_counts": lambda: _cosines(_aligned(object_counts, labelled.index), queries),
        "titles": lambda: title_scores(labelled["title"], queries, options.seed),
        "random": lambda: random_scores(options.seed),
    }
    rows = []
    for system, scores in systems.items():
        for candidates, positions, lists in _judged(scores(), queries, labelled, options.neighbours):
            rows.append(
                {
                    "system": system,
                    "candidates": candidates,
                    "neighbours": options.neighbours,
                    "videos": len(lists.judgeable.relevant),
                    "precision": precision_at_k(lists),
                    "ndcg": ndcg_at_k(lists),
                    "map": map_at_k(lists),
                    "intra_list_diversity": intra_list_diversity(positions, points),
                    "catalogue_coverage": catalogue_coverage(positions, len(labelled)),
                }
            )
    return RecommendationReport.validate(pd.DataFrame(rows))


def compare_importances(
    object_scores: ObjectScores,
    object_classes: DataFrame[ClassEmbeddings],
    corpus: DataFrame[Corpus],
    features: FeatureOptions,
    options: RecommendationOptions,
) -> DataFrame[ImportanceReport]:
    """Judge the recommendations that each formula of importance would give, all else being equal.

    Args:
        object_scores: what the chosen detector has seen in each video.
        object_classes: the detector's classes, index `class_name`.
        corpus: category and group of each video, and whether it counts.
        features: the other choices; `importance` is tried through, as far as the detector tells what it takes.
        options: see `RecommendationOptions`.

    Returns:
        A row per formula and choice of candidates.
    """
    labelled = _labelled(object_scores.video_ids, corpus)
    queries = draw_queries(len(labelled), options.evaluated_videos, options.seed)
    rows = []
    for formula in applicable_formulas(object_scores):
        space = ObjectSpace(features.model_copy(update={"importance": formula}))
        importances = space.fit(object_scores, object_classes).importances(object_scores)
        points = space.transform(importances).loc[labelled.index].to_numpy(np.float32)
        for candidates, _, lists in _judged(_cosines(points, queries), queries, labelled, options.neighbours):
            rows.append(
                {
                    "detector": features.detector,
                    "importance": formula,
                    "candidates": candidates,
                    "neighbours": options.neighbours,
                    "precision": precision_at_k(lists),
                    "ndcg": ndcg_at_k(lists),
                }
            )
    return ImportanceReport.validate(pd.DataFrame(rows))


def summarise_recommendations(recommendation_report: DataFrame[RecommendationReport]) -> dict[str, float]:
    """Flatten the report into names such as `precision_at_10` and `random_precision_at_10_other_groups`.

    Args:
        recommendation_report: see `compare_recommenders`.

    Returns:
        Object space's figures bear no prefix. What could not be measured is left out.
    """
    measured = recommendation_report.melt(["system", "candidates", "neighbours"], METRICS, "metric").dropna()
    if (recommendation_report["videos"] == 0).all():
        logger.warning("Recommendations cannot be judged: that needs two videos of one category")
    prefixes = measured["system"].where(measured["system"] != "object_space", "").add("_").str.removeprefix("_")
    suffixes = ("_" + measured["candidates"]).where(measured["candidates"] != "all", "")
    names = prefixes + measured["metric"] + "_at_" + measured["neighbours"].astype(str) + suffixes
    return dict(zip(names.tolist(), measured["value"].astype(float).tolist(), strict=True))


def draw_recommendation_comparison(recommendation_report: DataFrame[RecommendationReport]) -> go.Figure:
    """Draw the precision of each recommender, with and without neighbours of the same group.

    Args:
        recommendation_report: see `compare_recommenders`.

    Returns:
        Grouped bars.
    """
    return plot_precision(recommendation_report)


def _labelled(video_ids: pd.Index, corpus: pd.DataFrame) -> pd.DataFrame:
    described = corpus[corpus["is_used"]].set_index("video_id")[["category", "group", "title"]]
    described = described.reindex(video_ids.sort_values())
    return described[described["category"].notna()]


def _exclusions(labelled: pd.DataFrame) -> dict[str, Labels]:
    """By choice of candidates, labels of which no video may be recommended another with its own."""
    return {"all": np.arange(len(labelled)), "other_groups": group_labels(labelled.index, labelled["group"])}


def _judged(
    scores: Scores, queries: NDArray[np.int64], labelled: pd.DataFrame, k: int
) -> Iterator[tuple[str, NDArray[np.int64], JudgedLists]]:
    """By choice of candidates: the row numbers of what is recommended, and how good that is."""
    exclusions = _exclusions(labelled)
    pairs = [Exclusion(labels[queries], labels) for labels in exclusions.values()]
    found = find_neighbours_among(scores, pairs, k)
    for (candidates, labels), neighbours in zip(exclusions.items(), found, strict=True):
        lists = judge_lists(neighbours.positions, queries, labelled["category"], labels)
        yield candidates, neighbours.positions, lists


def _cosines(vectors: NDArray[np.float32], queries: NDArray[np.int64]) -> Scores:
    return cosine_scores(vectors[queries], vectors)


def _aligned(described: pd.DataFrame, video_ids: pd.Index) -> NDArray[np.float32]:
    return described.reindex(video_ids, fill_value=0).to_numpy(np.float32)


def _probabilities(class_score_table: DataFrame[ClassScoreTable], video_ids: pd.Index) -> NDArray[np.float32]:
    classes = pd.Index(class_score_table["class_name"].unique())
    vectors: NDArray[np.float32] = (
        probability_matrix(class_score_table, video_ids, classes).astype(np.float32).toarray()
    )
    return vectors
