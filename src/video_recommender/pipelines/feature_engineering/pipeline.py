"""Pipeline of the feature engineering stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import compute_points, fit_object_space, measure_importances


def create_pipeline() -> Pipeline:
    """Create the pipeline that computes importances and points in object space from detections."""
    classified = ["detections", "class_scores", "class_embeddings"]
    finetuned = ["finetuned_detections", "finetuned_class_scores", "finetuned_class_embeddings"]
    segmented = ["segmentations", "segmentation_scores", "segmented_class_embeddings"]
    return Pipeline(
        [
            Node(
                fit_object_space,
                inputs=[*classified, *finetuned, *segmented, "params:feature_engineering"],
                outputs=["object_scores", "object_space"],
                name="fit_object_space",
            ),
            Node(
                measure_importances,
                inputs=["object_scores", "object_space"],
                outputs="video_features",
                name="measure_importances",
            ),
            Node(compute_points, ["video_features", "object_space"], "video_points", name="compute_points"),
        ],
        namespace="feature_engineering",
        prefix_datasets_with_namespace=False,
        tags="feature_engineering",
    )
