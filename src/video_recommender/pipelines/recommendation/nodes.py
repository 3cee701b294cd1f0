"""Recommend the nearest videos in object space for each video, and evaluate the recommendations."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.schemas import (
    ClassEmbeddings,
    Corpus,
    Detections,
    ImportanceReport,
    MeanEmbedding,
    RecommendationReport,
    Recommendations,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.evaluation import EvaluationSet
from video_recommender.similarity.importance import Matrix, ObjectScores, applicable_formulas, scores_from_detections
from video_recommender.similarity.nearest_neighbours import Scores, random_scores
from video_recommender.similarity.object_space import ObjectSpace
from video_recommender.similarity.recommender import RecommendationOptions, VideoRecommender

logger = logging.getLogger(__name__)

CANDIDATE_LABELS: Final = {
    "all": "among all videos",
    "other_groups": "among videos of other groups",
}
SYSTEM_LABELS: Final = {
    "object_space": "object space",
    "probabilities": "class probabilities",
    "embeddings": "network embeddings",
    "raw_counts": "raw object counts",
    "titles": "title words",
    "random": "random",
}


@depends_on("faiss-cpu", "scikit-learn")
def fit_recommender(video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus]) -> VideoRecommender:
    """Fit the recommender to all videos except excluded near duplicates."""
    videos = corpus.set_index("video_id")
    excluded = videos[~videos["is_used"]]
    recommendable = video_points.drop(index=excluded.index, errors="ignore")
    recommender = VideoRecommender().fit(recommendable, videos["group"], excluded["repeats"])
    if recommender.index_ is not None:
        recall_pct = 100 * recommender.recall_
        logger.info("The index of %d videos has a recall@10 of %.1f %%", len(recommendable), recall_pct)
    return recommender


def recommend_videos(
    recommender: VideoRecommender,
    video_points: DataFrame[VideoPoints],
    video_features: DataFrame[VideoFeatures],
    object_space: ObjectSpace,
    options: RecommendationOptions,
) -> DataFrame[Recommendations]:
    """Recommend the nearest videos for each video, and list the objects that make them similar."""
    recommended = recommender.recommend(video_points.sort_index(), options.neighbours, options.exclude_same_group)
    if recommended.empty:
        logger.warning("No recommendations for %d video(s): add more videos", len(video_points))
    first, second = (pd.Index(recommended[name]) for name in ("video_id", "recommended_video_id"))
    shared = object_space.shared_objects_of_pairs(video_features, first, second, options.shared_objects)
    return Recommendations.validate(recommended.assign(shared_objects=pd.Series(shared, dtype="str")))


def compare_recommenders(
    video_points: DataFrame[VideoPoints],
    object_scores: ObjectScores,
    detections: Partitions[DataFrame[Detections]],
    class_embeddings: DataFrame[ClassEmbeddings],
    embeddings: Partitions[DataFrame[MeanEmbedding]],
    corpus: DataFrame[Corpus],
    options: RecommendationOptions,
    seed: int,
) -> DataFrame[RecommendationReport]:
    """Evaluate object space and simpler recommenders, with and without candidates of the query's group.

    Queries and candidates are labelled videos, without excluded near duplicates. A video is relevant if it has the
    query's category. `probabilities` compares object scores without class similarity, and `raw_counts` compares numbers
    of frames per class. Diversity is computed in object space for all recommenders.

    Returns:
        One row per recommender and set of candidates.
    """
    test = EvaluationSet.draw(video_points.index, corpus, seed)
    video_ids = test.videos.index
    points = video_points.loc[video_ids].to_numpy(np.float32)

    def probabilities() -> NDArray[np.float32]:
        return _dense(object_scores.frames[object_scores.video_ids.get_indexer(video_ids)])

    def counts() -> NDArray[np.float32]:
        class_names = pd.Index(class_embeddings.index)
        return _dense(scores_from_detections(detections.blocks("video_id"), video_ids, class_names).frames)

    scorers: dict[str, Callable[[], Scores]] = {
        "object_space": lambda: test.cosine_scores(points),
        "embeddings": lambda: test.cosine_scores(_embedding_rows(embeddings.blocks("video_id"), video_ids)),
        "probabilities": lambda: test.cosine_scores(probabilities()),
        "raw_counts": lambda: test.cosine_scores(counts()),
        "titles": lambda: test.title_scores(seed),
        "random": lambda: random_scores(seed),
    }
    rows = [
        {"system": system, **row}
        for system, make_scores in scorers.items()
        for row in test.evaluate(make_scores(), options.neighbours, points)
    ]
    return RecommendationReport.validate(pd.DataFrame(rows))


def compare_importances(
    object_scores: ObjectScores,
    object_space: ObjectSpace,
    corpus: DataFrame[Corpus],
    options: RecommendationOptions,
    seed: int,
) -> DataFrame[ImportanceReport]:
    """Evaluate the recommendations with each importance formula that the object scores allow."""
    test, detector = EvaluationSet.draw(object_scores.video_ids, corpus, seed), object_space.options.detector
    rows: list[dict[str, str | int | float]] = []
    for formula in applicable_formulas(object_scores):
        space = object_space.with_importance(formula)
        points = space.transform(space.importances(object_scores)).loc[test.videos.index].to_numpy(np.float32)
        measured = test.evaluate(test.cosine_scores(points), options.neighbours, points)
        rows += [{"detector": detector, "importance": formula, **row} for row in measured]
    return ImportanceReport.validate(pd.DataFrame(rows, columns=list(ImportanceReport.to_schema().columns)))


def summarise_recommendations(recommendation_report: DataFrame[RecommendationReport]) -> dict[str, float]:
    """Flatten the report into metrics such as `precision_at_10` and `random_precision_at_10_other_groups`.

    Metrics of object space have no prefix. Metrics that are NaN are omitted.
    """
    ids = ["system", "candidates", "neighbours", "videos"]
    measured = recommendation_report.melt(ids, var_name="metric").dropna()
    if (recommendation_report["videos"] == 0).all():
        logger.warning("Recommendations cannot be evaluated: add at least two videos of one category")
    prefixes = measured["system"].where(measured["system"] != "object_space", "").add("_").str.removeprefix("_")
    suffixes = ("_" + measured["candidates"]).where(measured["candidates"] != "all", "")
    names = prefixes + measured["metric"] + "_at_" + measured["neighbours"].astype(str) + suffixes
    return dict(zip(names.tolist(), measured["value"].astype(float).tolist(), strict=True))


def draw_recommendation_comparison(recommendation_report: DataFrame[RecommendationReport]) -> go.Figure:
    """Plot the precision of each recommender, with and without candidates of the query's group. NaN has no bar."""
    # Lists, because Plotly would write arrays as base64, which older readers of the file do not support.
    bars = [
        go.Bar(
            name=CANDIDATE_LABELS[str(candidates)],
            x=[SYSTEM_LABELS[system] for system in rows["system"]],
            y=[None if pd.isna(value) else round(value, 4) for value in rows["precision"]],
            texttemplate="%{y:.2f}",
        )
        for candidates, rows in recommendation_report.groupby("candidates")
    ]
    k = recommendation_report["neighbours"].max()
    return go.Figure(bars).update_layout(
        title=f"Share of {k} recommended videos that have the query's category",
        yaxis={"title": f"precision@{k}", "range": [0, 1.05]},
        legend={"orientation": "h", "y": -0.15},
    )


def _dense(matrix: Matrix) -> NDArray[np.float32]:
    return np.asarray(matrix.astype(np.float32).toarray())


def _embedding_rows(blocks: Iterable[pd.DataFrame], video_ids: pd.Index) -> NDArray[np.float32]:
    """Return embeddings in the order of `video_ids`, shape (videos, features). Missing embeddings are zero."""
    rows = np.zeros((len(video_ids), 1), np.float32)
    for block in blocks:
        owners = block["video_id"].cat.categories
        values = block["value"].to_numpy(np.float32).reshape(len(owners), -1)
        if rows.shape[1] != values.shape[1]:
            rows = np.zeros((len(video_ids), values.shape[1]), np.float32)
        positions = video_ids.get_indexer(owners)
        rows[positions[positions >= 0]] = values[positions >= 0]
    return rows
