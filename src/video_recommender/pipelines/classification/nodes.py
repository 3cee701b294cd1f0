"""Train a classifier that predicts a video's category from its point in object space."""

import logging
from typing import Final

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.schemas import CategoryPredictions, CategoryReport, Corpus, VideoPoints
from video_recommender.similarity.category_models import (
    FITTED_TO_SAMPLE,
    UNKNOWN_CATEGORY,
    CategoryModel,
    ClassificationOptions,
    fit_category_model,
    predict_with_probability,
)
from video_recommender.similarity.cross_validation import (
    CandidateComparison,
    compare_models,
    corpus_rows,
    labelled_videos,
    measure_models,
    report_per_category,
    sample_videos,
)
from video_recommender.similarity.plots import plot_confusion_matrix

logger = logging.getLogger(__name__)

COMPARED_VIDEOS: Final = 20_000
"""Candidates are compared on a sample of a larger corpus: more videos take long and hardly change the comparison."""


def compare_candidates(
    video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus], options: ClassificationOptions, seed: int
) -> CandidateComparison:
    """Cross-validate the candidates on the labelled videos, and choose the best."""
    videos = sample_videos(labelled_videos(video_points, corpus), COMPARED_VIDEOS, seed)
    return compare_models(videos, options.candidates, options.folds, seed)


def train_category_classifier(
    video_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
    candidate_comparison: CandidateComparison,
    seed: int,
) -> CategoryModel:
    """Fit the chosen candidate to all labelled videos, or to a sample if that would take too long."""
    videos, model = labelled_videos(video_points, corpus), candidate_comparison.chosen
    if model in FITTED_TO_SAMPLE:
        videos = sample_videos(videos, COMPARED_VIDEOS, seed)
    if not len(videos):
        logger.warning(
            "No video has a category, so '%s' is predicted for all: put videos into one folder per category",
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
        Out-of-fold predictions of the labelled videos; for the rest (no category, excluded near duplicates, videos
        outside the sample) those of the trained classifier, without a fold.
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
    """Measure the chosen model, all candidates and the majority baseline.

    Returns:
        See `measure_models`; also the numbers `n_videos` (labelled), `n_unlabelled` and `n_categories`.
    """
    categories = category_predictions["category"]
    return measure_models(candidate_comparison) | {
        "n_videos": int(categories.notna().sum()),
        "n_unlabelled": int(categories.isna().sum()),
        "n_categories": int(categories.nunique()),
    }


def report_categories(category_predictions: DataFrame[CategoryPredictions]) -> DataFrame[CategoryReport]:
    """Compute precision, recall and F1 of each category."""
    return report_per_category(category_predictions)


def draw_confusion_matrix(category_predictions: DataFrame[CategoryPredictions]) -> go.Figure:
    """Plot the confusion matrix."""
    return plot_confusion_matrix(category_predictions)
