"""Wiring of the detection stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    build_object_network,
    compile_object_classifier,
    detect_objects,
    gather_class_evidence,
    gather_embeddings,
    read_class_embeddings,
    summarise_detections,
)


def create_pipeline() -> Pipeline:
    """Frames in; the object in each frame, each video's mean class probabilities, and a manifest out."""
    return Pipeline(
        [
            Node(
                build_object_network,
                inputs="params:detection",
                outputs="object_network",
                name="build_object_network",
            ),
            Node(
                compile_object_classifier,
                inputs=["object_network", "params:detection"],
                outputs="object_classifier",
                name="compile_object_classifier",
            ),
            Node(
                read_class_embeddings,
                inputs="object_network",
                outputs="class_embeddings",
                name="read_class_embeddings",
            ),
            Node(
                detect_objects,
                inputs=[
                    "frames",
                    "stored_detections",
                    "stored_class_probabilities",
                    "stored_embeddings",
                    "object_classifier",
                    "params:detection",
                    "params:workers",
                ],
                outputs=["detections", "class_probabilities", "embeddings"],
                name="detect_objects",
                tags="per_video",
            ),
            Node(
                summarise_detections,
                inputs=["detections", "frame_manifest"],
                outputs="detection_manifest",
                name="summarise_detections",
            ),
            Node(
                gather_class_evidence,
                inputs="class_probabilities",
                outputs="class_evidence",
                name="gather_class_evidence",
            ),
            Node(
                gather_embeddings,
                inputs="embeddings",
                outputs="video_embeddings",
                name="gather_embeddings",
            ),
        ],
        namespace="detection",
        prefix_datasets_with_namespace=False,
        tags="detection",
    )
