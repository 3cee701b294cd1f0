"""Pipeline of the detection stage."""

from kedro.pipeline import Node, Pipeline

from video_recommender.incremental import per_partition

from .nodes import detect_objects, prepare_object_classifier, summarise_detections


def create_pipeline() -> Pipeline:
    """Create the pipeline that classifies frames, and computes class scores, embeddings and a manifest."""
    return Pipeline(
        [
            Node(
                prepare_object_classifier,
                inputs="params:detection",
                outputs=["object_classifier", "class_embeddings"],
                name="prepare_object_classifier",
            ),
            per_partition(
                detect_objects,
                inputs=["frames", "object_classifier", "params:detection"],
                outputs=["detections", "class_scores", "embeddings"],
                name="detect_objects",
            ),
            Node(
                summarise_detections,
                inputs=["detections", "frame_manifest"],
                outputs="detection_manifest",
                name="summarise_detections",
            ),
        ],
        namespace="detection",
        prefix_datasets_with_namespace=False,
        tags="detection",
    )
