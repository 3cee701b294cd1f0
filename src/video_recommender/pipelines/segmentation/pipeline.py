"""Pipeline of the segmentation stage."""

from kedro.pipeline import Node, Pipeline

from video_recommender.incremental import per_partition

from .nodes import (
    build_object_segmenter,
    draw_segmentation_overlays,
    identify_segmentation_model,
    read_segmented_classes,
    segment_objects,
    summarise_segmentations,
)


def create_pipeline() -> Pipeline:
    """Segment the objects in frames, and create a manifest and overlays."""
    return Pipeline(
        [
            Node(
                identify_segmentation_model,
                inputs="params:segmentation",
                outputs="segmentation_model",
                name="identify_segmentation_model",
                tags="always_run",
            ),
            Node(
                build_object_segmenter,
                ["segmentation_model", "params:segmentation"],
                "object_segmenter",
                name="build_object_segmenter",
            ),
            Node(
                read_segmented_classes, "object_segmenter", "segmented_class_embeddings", name="read_segmented_classes"
            ),
            per_partition(
                segment_objects,
                inputs=["frames", "object_segmenter"],
                outputs=["segmentations", "segmentations_csv", "segmentation_scores"],
                name="segment_objects",
            ),
            Node(
                summarise_segmentations,
                ["segmentations", "frame_manifest"],
                "segmentation_manifest",
                name="summarise_segmentations",
            ),
            Node(
                draw_segmentation_overlays,
                inputs=["frames", "segmentations", "object_segmenter", "params:segmentation"],
                outputs="segmentation_overlays",
                name="draw_segmentation_overlays",
            ),
        ],
        namespace="segmentation",
        prefix_datasets_with_namespace=False,
        tags="segmentation",
    )
