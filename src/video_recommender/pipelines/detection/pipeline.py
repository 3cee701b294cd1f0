"""Wiring of the detection stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    detect_objects,
    prepare_object_classifier,
    summarise_detections,
)


def create_pipeline() -> Pipeline:
    """Frames in; the object in each frame, each video's mean class probabilities, and a manifest out."""
    return Pipeline(
        [
            Node(
                prepare_object_classifier,
                inputs="params:detection",
                outputs=["object_classifier", "class_embeddings"],
                name="prepare_object_classifier",
            ),
            Node(
                detect_objects,
                inputs=[
                    "frames",
                    "stored_detections",
                    "stored_class_scores",
                    "stored_embeddings",
                    "object_classifier",
                    "params:detection",
                    "params:workers",
                ],
                outputs=["detections", "class_scores", "embeddings"],
                name="detect_objects",
                tags="per_video",
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
