"""Wiring of the classification stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    compare_candidates,
    draw_confusion_matrix,
    measure_classification,
    predict_categories,
    report_categories,
    train_category_classifier,
)


def create_pipeline() -> Pipeline:
    """Points in object space in; a category classifier, its predictions and their metrics out."""
    return Pipeline(
        [
            Node(
                compare_candidates,
                inputs=["video_points", "corpus", "params:classification", "params:seed"],
                outputs="candidate_comparison",
                name="compare_candidates",
            ),
            Node(
                train_category_classifier,
                inputs=["video_points", "corpus", "candidate_comparison", "params:seed"],
                outputs="category_classifier",
                name="train_category_classifier",
            ),
            Node(
                predict_categories,
                inputs=["video_points", "corpus", "candidate_comparison", "category_classifier"],
                outputs="category_predictions",
                name="predict_categories",
            ),
            Node(
                measure_classification,
                inputs=["candidate_comparison", "category_predictions"],
                outputs="classification_metrics",
                name="measure_classification",
            ),
            Node(report_categories, "category_predictions", "category_report", name="report_categories"),
            Node(draw_confusion_matrix, "category_predictions", "confusion_matrix", name="draw_confusion_matrix"),
        ],
        namespace="classification",
        prefix_datasets_with_namespace=False,
        tags="classification",
    )
