"""Pipeline of the classification stage."""

from kedro.pipeline import Node, Pipeline

from . import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline that trains the category classifier on points, predicts categories and evaluates them."""
    return Pipeline(
        [
            Node(
                nodes.compare_candidates,
                inputs=["video_points", "corpus", "params:classification", "params:seed"],
                outputs="candidate_comparison",
                name="compare_candidates",
            ),
            Node(
                nodes.train_category_classifier,
                inputs=["video_points", "corpus", "candidate_comparison", "params:seed"],
                outputs="category_classifier",
                name="train_category_classifier",
            ),
            Node(
                nodes.predict_categories,
                inputs=["video_points", "corpus", "candidate_comparison", "category_classifier"],
                outputs="category_predictions",
                name="predict_categories",
            ),
            Node(
                nodes.measure_classification,
                inputs=["candidate_comparison", "category_predictions"],
                outputs="classification_metrics",
                name="measure_classification",
            ),
            Node(nodes.report_categories, "category_predictions", "category_report", name="report_categories"),
            Node(nodes.draw_confusion_matrix, "category_predictions", "confusion_matrix", name="draw_confusion_matrix"),
        ],
        namespace="classification",
        prefix_datasets_with_namespace=False,
        tags="classification",
    )
