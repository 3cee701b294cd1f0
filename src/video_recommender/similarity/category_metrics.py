"""How well categories are named."""

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from sklearn.metrics import precision_recall_fscore_support

from video_recommender.schemas import CategoryPredictions, CategoryReport
from video_recommender.similarity.cross_validation import CandidateComparison, macro_f1


def measure_models(comparison: CandidateComparison) -> dict[str, float | None]:
    """Measure the chosen model and, beside it, every model that it was compared with.

    Returns:
        `accuracy` and `macro_f1` of the chosen model, over all videos; `accuracy_std` and `macro_f1_std`, the standard
        deviation over the folds; `accuracy_<model>` and `macro_f1_<model>` of each model, `majority` being the
        baseline; `n_folds`. None where nothing could be measured.
    """
    chosen = comparison.predictions_of_chosen
    folds = [fold for _, fold in chosen.groupby("fold")]
    metrics: dict[str, float | None] = {
        "accuracy": _accuracy(chosen) if folds else None,
        "accuracy_std": float(np.std([_accuracy(fold) for fold in folds])) if folds else None,
        "macro_f1": macro_f1(chosen) if folds else None,
        "macro_f1_std": float(np.std([macro_f1(fold) for fold in folds])) if folds else None,
        "n_folds": len(folds),
    }
    for name, predictions in comparison.predictions.groupby("model", sort=False):
        metrics[f"accuracy_{name}"] = _accuracy(predictions)
        metrics[f"macro_f1_{name}"] = macro_f1(predictions)
    return metrics


def report_per_category(category_predictions: DataFrame[CategoryPredictions]) -> DataFrame[CategoryReport]:
    """Measure how well each category is named.

    Args:
        category_predictions: those without a fold are not measured.

    Returns:
        A row per category that videos have, in alphabetical order.
    """
    labelled = category_predictions[category_predictions["category"].notna()]
    measured = labelled[labelled["fold"].notna()]
    videos = labelled.groupby("category").size()
    report = pd.DataFrame(
        {"category": videos.index, "precision": np.nan, "recall": np.nan, "f1": np.nan, "videos": videos.to_numpy()}
    )
    if len(measured):
        precision, recall, f1, _ = precision_recall_fscore_support(
            measured["category"], measured["predicted_category"], labels=list(videos.index), zero_division=0
        )
        report = report.assign(precision=precision, recall=recall, f1=f1)
    return CategoryReport.validate(report)


def _accuracy(predictions: pd.DataFrame) -> float:
    return float((predictions["category"] == predictions["predicted_category"]).mean())
