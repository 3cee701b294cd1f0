"""Train a classifier that predicts a video's category from its point in object space."""

import logging
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from sklearn.metrics import precision_recall_fscore_support

from video_recommender.incremental import depends_on
from video_recommender.schemas import CategoryPredictions, CategoryReport, Corpus, VideoPoints
from video_recommender.similarity.category_models import (
    FITTED_TO_SAMPLE,
    UNKNOWN_CATEGORY,
    CandidateComparison,
    CategoryModel,
    ClassificationOptions,
    accuracy,
    compare_models,
    corpus_rows,
    fit_category_model,
    labelled_videos,
    macro_f1,
    predict_with_probability,
    sample_videos,
)
from video_recommender.similarity.evaluation import plot_confusion_matrix

logger = logging.getLogger(__name__)

COMPARED_VIDEOS: Final = 20_000
"""Candidates are compared on at most this many videos. More videos take longer and hardly change the ranking."""


@depends_on("scikit-learn")
def compare_candidates(
    video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus], options: ClassificationOptions, seed: int
) -> CandidateComparison:
    """Cross-validate the candidates on labelled videos, and choose the best."""
    videos = sample_videos(labelled_videos(video_points, corpus), COMPARED_VIDEOS, seed)
    return compare_models(videos, options.candidates, options.folds, seed)


@depends_on("scikit-learn")
def train_category_classifier(
    video_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
    candidate_comparison: CandidateComparison,
    seed: int,
) -> CategoryModel:
    """Fit the chosen candidate to all labelled videos, or to a sample if its fit or prediction time is quadratic."""
    videos, model = labelled_videos(video_points, corpus), candidate_comparison.chosen
    if model in FITTED_TO_SAMPLE:
        videos = sample_videos(videos, COMPARED_VIDEOS, seed)
    if not len(videos):
        logger.warning(
            "No video has a category, so the prediction is always '%s': put videos into one folder per category",
            UNKNOWN_CATEGORY,
        )
    return fit_category_model(model, videos.points, videos.categories, seed)


def predict_categories(
    video_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
    candidate_comparison: CandidateComparison,
    category_classifier: CategoryModel,
) -> DataFrame[CategoryPredictions]:
    """Predict the category of every video.

    Returns:
        Out-of-fold predictions of the cross-validated videos. Other videos (unlabelled, excluded near duplicates,
        outside the sample) have predictions of the final classifier and no fold.
    """
    videos = corpus_rows(video_points.index, corpus)
    held_out = candidate_comparison.predictions_of_chosen.set_index("video_id")
    rest = videos.index.difference(held_out.index)
    predicted = predict_with_probability(category_classifier, video_points.loc[rest])
    table = pd.concat([part for part in (held_out, predicted) if len(part)] or [held_out])
    columns = ["predicted_category", "probability", "fold"]
    table = table.reindex(index=videos.index, columns=columns).rename_axis("video_id")
    table.insert(0, "category", videos["category"])
    return CategoryPredictions.validate(table.reset_index())


def measure_classification(
    candidate_comparison: CandidateComparison, category_predictions: DataFrame[CategoryPredictions]
) -> dict[str, float | None]:
    """Compute the metrics of the chosen model, of all candidates and of the majority baseline.

    Returns:
        `accuracy` and `macro_f1` of the chosen model, 0 to 1; the standard deviations of these metrics over the folds,
        `…_std`; the metrics of each model, `…_<model>`; and the counts `n_folds`, `n_videos` (labelled), `n_unlabelled`
        and `n_categories`. If cross-validation is impossible, the metrics of the chosen model are None, and the metrics
        of each model are omitted.
    """
    chosen = candidate_comparison.predictions_of_chosen
    folds = [fold for _, fold in chosen.groupby("fold")]
    categories = category_predictions["category"]
    metrics: dict[str, float | None] = {
        "n_folds": len(folds),
        "n_videos": int(categories.notna().sum()),
        "n_unlabelled": int(categories.isna().sum()),
        "n_categories": int(categories.nunique()),
    }
    for metric, compute in (("accuracy", accuracy), ("macro_f1", macro_f1)):
        metrics[metric] = compute(chosen) if folds else None
        metrics[f"{metric}_std"] = float(np.std([compute(fold) for fold in folds])) if folds else None
        for name, predictions in candidate_comparison.predictions.groupby("model", sort=False):
            metrics[f"{metric}_{name}"] = compute(predictions)
    return metrics


def report_categories(category_predictions: DataFrame[CategoryPredictions]) -> DataFrame[CategoryReport]:
    """Compute precision, recall and F1 of each category from the out-of-fold predictions."""
    labelled = category_predictions[category_predictions["category"].notna()]
    measured = labelled[labelled["fold"].notna()]
    videos = labelled.groupby("category").size()
    report = videos.rename("videos").reset_index().assign(precision=np.nan, recall=np.nan, f1=np.nan)
    if len(measured):
        precision, recall, f1, _ = precision_recall_fscore_support(
            measured["category"], measured["predicted_category"], labels=list(videos.index), zero_division=0
        )
        report = report.assign(precision=precision, recall=recall, f1=f1)
    return CategoryReport.validate(report[list(CategoryReport.to_schema().columns)])


def draw_confusion_matrix(category_predictions: DataFrame[CategoryPredictions]) -> go.Figure:
    """Plot the confusion matrix of the out-of-fold predictions."""
    return plot_confusion_matrix(category_predictions)
