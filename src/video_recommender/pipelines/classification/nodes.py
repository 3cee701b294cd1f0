"""Learn to name a video's category from where it lies in object space."""

import logging

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.schemas import CategoryPredictions, CategoryReport, Corpus, VideoPoints
from video_recommender.similarity import category_models
from video_recommender.similarity.category_metrics import measure_models, report_per_category
from video_recommender.similarity.category_models import CategoryModel, ClassificationOptions
from video_recommender.similarity.confusion_figure import confusion_figure
from video_recommender.similarity.cross_validation import (
    CandidateComparison,
    compare_models,
    draw_videos,
    labelled_videos,
    usable_videos,
)

logger = logging.getLogger(__name__)


def compare_candidates(
    video_points: DataFrame[VideoPoints], corpus: DataFrame[Corpus], options: ClassificationOptions
) -> CandidateComparison:
    """Predict labelled videos with candidates that have not seen their group, and choose the best candidate.

    Args:
        video_points: where each video lies in object space, float32, unit length.
        corpus: each video's category and group, and whether it counts.
        options: see `ClassificationOptions`.

    Returns:
        See `CandidateComparison`.
    """
    videos = draw_videos(labelled_videos(video_points, corpus), options.compared_videos, options.seed)
    return compare_models(videos, options.candidates, options.folds, options.seed)


def train_category_classifier(
    video_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
    candidate_comparison: CandidateComparison,
    options: ClassificationOptions,
) -> CategoryModel:
    """Fit the chosen candidate to every labelled video, or to a sample of them if that would take too long."""
    videos = labelled_videos(video_points, corpus)
    if candidate_comparison.chosen in category_models.LEARNS_FROM_A_SAMPLE:
        videos = draw_videos(videos, options.compared_videos, options.seed)
    if not len(videos):
        logger.warning(
            "No video has a category, so each is called '%s': put videos into one folder per category",
            category_models.UNKNOWN_CATEGORY,
        )
    return category_models.fit_category_model(
        candidate_comparison.chosen, videos.points, videos.categories, options.seed
    )


def predict_categories(
    video_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
    candidate_comparison: CandidateComparison,
    category_classifier: CategoryModel,
) -> DataFrame[CategoryPredictions]:
    """Name the category of every video.

    Returns:
        Out-of-fold predictions where the category is known and could be measured; the trained classifier's, with an
        empty fold, for the rest: near duplicates that are kept out, and videos on which candidates are not compared.
    """
    usable = usable_videos(video_points, corpus)
    held_out = candidate_comparison.predictions_of_chosen.set_index("video_id")
    rest = usable.index.difference(held_out.index)
    predicted = category_models.name_categories(category_classifier, video_points.loc[rest])
    columns = ["predicted_category", "probability", "fold"]
    table = pd.concat([part for part in (held_out, predicted) if len(part)] or [held_out])
    table = table.reindex(index=usable.index, columns=columns).rename_axis("video_id")
    table.insert(0, "category", usable["category"])
    return CategoryPredictions.validate(table.reset_index())


def measure_classification(
    candidate_comparison: CandidateComparison, category_predictions: DataFrame[CategoryPredictions]
) -> dict[str, float | None]:
    """Measure how well categories are named, beside all candidates and the majority baseline.

    Returns:
        See `measure_models`; also `n_videos` and `n_categories` that are labelled, and `n_unlabelled` videos.
    """
    metrics = measure_models(candidate_comparison)
    categories = category_predictions["category"]
    return metrics | {
        "n_videos": int(categories.notna().sum()),
        "n_unlabelled": int(categories.isna().sum()),
        "n_categories": int(categories.nunique()),
    }


def report_categories(category_predictions: DataFrame[CategoryPredictions]) -> DataFrame[CategoryReport]:
    """Measure how well each category is named."""
    return report_per_category(category_predictions)


def draw_confusion_matrix(category_predictions: DataFrame[CategoryPredictions]) -> go.Figure:
    """Draw which categories are taken for which."""
    return confusion_figure(category_predictions)
