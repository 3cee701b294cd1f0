"""Wiring of the transfer learning stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    build_finetuned_network,
    build_object_network,
    collect_training_images,
    convert_finetuned_classifier,
    detect_finetuned_objects,
    draw_finetuned_confusion_matrix,
    draw_learning_curves,
    embed_training_images,
    embed_video_frames,
    extract_finetuned_class_embeddings,
    gather_finetuned_class_scores,
    list_finetuned_classes,
    list_image_predictions,
    list_skipped_images,
    measure_transfer_learning,
    train_heads,
)


def create_pipeline() -> Pipeline:
    """Train a head on labelled images, classify the videos with it, and evaluate it."""
    return Pipeline(
        [
            Node(
                collect_training_images,
                inputs=[
                    "frames",
                    "frame_hashes",
                    "corpus",
                    "stored_training_images",
                    "params:transfer_learning",
                    "params:preprocessing",
                    "params:workers",
                ],
                outputs="training_images",
                name="collect_training_images",
                tags="per_video",
            ),
            Node(list_skipped_images, "training_images", "skipped_images", name="list_skipped_images"),
            Node(
                embed_training_images,
                inputs=[
                    "training_images",
                    "stored_training_features",
                    "object_classifier",
                    "params:workers",
                    "params:seed",
                ],
                outputs="training_features",
                name="embed_training_images",
                tags="per_video",
            ),
            Node(
                embed_video_frames,
                inputs=["frames", "stored_frame_features", "object_classifier", "params:workers"],
                outputs="frame_features",
                name="embed_video_frames",
                tags="per_video",
            ),
            Node(build_object_network, "params:detection", "object_network", name="build_object_network"),
            Node(
                train_heads,
                inputs=["training_features", "object_network", "params:transfer_learning", "params:seed"],
                outputs="finetuned_heads",
                name="train_heads",
            ),
            Node(
                list_image_predictions,
                inputs="finetuned_heads",
                outputs="training_image_predictions",
                name="list_image_predictions",
            ),
            Node(
                build_finetuned_network,
                inputs=["object_network", "finetuned_heads"],
                outputs="finetuned_network",
                name="build_finetuned_network",
            ),
            Node(
                convert_finetuned_classifier,
                inputs=["finetuned_network", "finetuned_heads"],
                outputs="finetuned_classifier",
                name="convert_finetuned_classifier",
            ),
            Node(list_finetuned_classes, "finetuned_heads", "finetuned_classes", name="list_finetuned_classes"),
            Node(
                extract_finetuned_class_embeddings,
                inputs="finetuned_heads",
                outputs="finetuned_class_embeddings",
                name="extract_finetuned_class_embeddings",
            ),
            Node(
                detect_finetuned_objects,
                inputs=[
                    "frame_features",
                    "corpus",
                    "finetuned_heads",
                    "stored_finetuned_detections",
                    "stored_finetuned_class_scores",
                    "params:workers",
                ],
                outputs=["finetuned_detections", "finetuned_class_scores"],
                name="detect_finetuned_objects",
                tags="per_video",
            ),
            Node(
                gather_finetuned_class_scores,
                inputs="finetuned_class_scores",
                outputs="finetuned_class_score_table",
                name="gather_finetuned_class_scores",
            ),
            Node(
                measure_transfer_learning,
                inputs=[
                    "finetuned_heads",
                    "detections",
                    "class_score_table",
                    "class_embeddings",
                    "finetuned_detections",
                    "finetuned_class_score_table",
                    "finetuned_class_embeddings",
                    "corpus",
                    "params:features",
                    "params:classification",
                    "params:recommendation",
                ],
                outputs="transfer_learning_metrics",
                name="measure_transfer_learning",
            ),
            Node(draw_learning_curves, "finetuned_heads", "learning_curves", name="draw_learning_curves"),
            Node(
                draw_finetuned_confusion_matrix,
                inputs="training_image_predictions",
                outputs="finetuned_confusion_matrix",
                name="draw_finetuned_confusion_matrix",
            ),
        ],
        namespace="transfer_learning",
        prefix_datasets_with_namespace=False,
        tags="transfer_learning",
    )
