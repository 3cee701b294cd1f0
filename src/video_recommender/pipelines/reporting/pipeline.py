"""Pipeline that writes the report, the model card and the contact sheets."""

from kedro.pipeline import Node, Pipeline

from .nodes import draw_detection_sheet, draw_frame_sheet, draw_neighbour_sheet, write_model_card, write_report


def create_pipeline() -> Pipeline:
    """Create the pipeline that writes the report, the model card and the contact sheets."""
    return Pipeline(
        [
            Node(
                draw_frame_sheet,
                inputs=["video_manifest", "frame_manifest", "frames"],
                outputs="frame_sheet",
                name="draw_frame_sheet",
            ),
            Node(
                draw_detection_sheet,
                inputs=["video_manifest", "frame_manifest", "frames", "detections"],
                outputs="detection_sheet",
                name="draw_detection_sheet",
            ),
            Node(
                draw_neighbour_sheet,
                inputs=["recommendations", "corpus", "frames"],
                outputs="neighbour_sheet",
                name="draw_neighbour_sheet",
            ),
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
                    "ad_choices",
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
                    "params:detection",
                    "params:feature_engineering",
                    "params:seed",
                ],
                outputs="model_card",
                name="write_model_card",
            ),
        ],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
        tags="reporting",
    )
