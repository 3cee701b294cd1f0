"""Wiring of the feature engineering stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import fit_object_space, gather_object_scores, measure_importances, place_videos


def create_pipeline() -> Pipeline:
    """Detected objects in; each video's importances, and its point in object space, out."""
    return Pipeline(
        [
            Node(
                gather_object_scores,
                inputs=[
                    "detections",
                    "class_score_table",
                    "class_embeddings",
                    "finetuned_detections",
                    "finetuned_class_score_table",
                    "finetuned_class_embeddings",
                    "segmentations",
                    "segmentation_scores",
                    "segmented_class_embeddings",
                    "params:features",
                ],
                outputs=["object_scores", "object_classes"],
                name="gather_object_scores",
            ),
            Node(
                fit_object_space,
                inputs=["object_scores", "object_classes", "params:features"],
                outputs="object_space",
                name="fit_object_space",
            ),
            Node(
                measure_importances,
                inputs=["object_scores", "object_space"],
                outputs="video_features",
                name="measure_importances",
            ),
            Node(place_videos, inputs=["video_features", "object_space"], outputs="video_points", name="place_videos"),
        ],
        namespace="feature_engineering",
        prefix_datasets_with_namespace=False,
        tags="feature_engineering",
    )
