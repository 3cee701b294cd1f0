"""Wiring of the stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import write_model_card, write_report


def create_pipeline() -> Pipeline:
    """Tables, figures and frames in; one page, and a card of the models, out."""
    return Pipeline(
        [
            Node(
                write_report,
                inputs=[
                    "video_manifest",
                    "frame_manifest",
                    "frames",
                    "corpus",
                    "category_predictions",
                    "classification_metrics",
                    "category_report",
                    "confusion_matrix",
                    "recommendations",
                    "recommendation_report",
                    "recommendation_comparison",
                    "ad_policy_report",
                    "unseen_ad_policy_report",
                    "ad_choices",
                    "params:reporting",
                ],
                outputs="report",
                name="write_report",
            ),
            Node(
                write_model_card,
                inputs=[
                    "video_manifest",
                    "corpus",
                    "category_predictions",
                    "classification_metrics",
                    "recommendations",
                    "recommendation_report",
                    "ad_policy_report",
                    "unseen_ad_policy_report",
                    "params:detection",
                    "params:features",
                    "params:reporting",
                ],
                outputs="model_card",
                name="write_model_card",
            ),
        ],
        tags="reporting",
    )
