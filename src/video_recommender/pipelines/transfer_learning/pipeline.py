"""Pipeline of the transfer learning stage."""

from kedro.pipeline import Node, Pipeline

from video_recommender.incremental import per_partition

from . import nodes


def create_pipeline() -> Pipeline:
    """Train a head on labelled images, classify the videos with it, and evaluate it."""
    return Pipeline(
        [
            Node(
                nodes.list_training_sources,
                inputs=["frames", "frame_hashes", "corpus", "params:transfer_learning", "params:preprocessing"],
                outputs="training_sources",
                name="list_training_sources",
            ),
            per_partition(
                nodes.read_training_images,
                inputs="training_sources",
                outputs="training_images",
                name="read_training_images",
            ),
            Node(nodes.list_skipped_images, "training_images", "skipped_images", name="list_skipped_images"),
            per_partition(
                nodes.embed_training_images,
                inputs=["training_images", "object_classifier", "params:seed"],
                outputs="training_features",
                name="embed_training_images",
            ),
            per_partition(
                nodes.embed_video_frames, ["frames", "object_classifier"], "frame_features", name="embed_video_frames"
            ),
            Node(nodes.build_object_network, "params:detection", "object_network", name="build_object_network"),
            Node(
                nodes.train_heads,
                inputs=[
                    "training_images",
                    "training_features",
                    "object_network",
                    "params:transfer_learning",
                    "params:seed",
                ],
                outputs="finetuned_heads",
                name="train_heads",
            ),
            Node(
                nodes.list_image_predictions,
                "finetuned_heads",
                "training_image_predictions",
                name="list_image_predictions",
            ),
            Node(
                nodes.build_finetuned_network,
                inputs=["object_network", "finetuned_heads"],
                outputs="finetuned_network",
                name="build_finetuned_network",
            ),
            Node(
                nodes.convert_finetuned_classifier,
                inputs=["finetuned_network", "finetuned_heads"],
                outputs="finetuned_classifier",
                name="convert_finetuned_classifier",
            ),
            Node(nodes.list_finetuned_classes, "finetuned_heads", "finetuned_classes", name="list_finetuned_classes"),
            Node(
                nodes.extract_finetuned_class_embeddings,
                inputs="finetuned_heads",
                outputs="finetuned_class_embeddings",
                name="extract_finetuned_class_embeddings",
            ),
            Node(
                nodes.list_held_out_videos,
                inputs=["frame_features", "corpus", "finetuned_heads"],
                outputs="held_out_videos",
                name="list_held_out_videos",
            ),
            per_partition(
                nodes.detect_finetuned_objects,
                inputs=["held_out_videos", "finetuned_heads"],
                outputs=["finetuned_detections", "finetuned_class_scores"],
                name="detect_finetuned_objects",
            ),
            Node(
                nodes.measure_transfer_learning,
                inputs=[
                    "finetuned_heads",
                    "detections",
                    "class_scores",
                    "class_embeddings",
                    "finetuned_detections",
                    "finetuned_class_scores",
                    "finetuned_class_embeddings",
                    "corpus",
                    "params:feature_engineering",
                    "params:classification",
                    "params:recommendation",
                    "params:seed",
                ],
                outputs="transfer_learning_metrics",
                name="measure_transfer_learning",
            ),
            Node(nodes.draw_learning_curves, "finetuned_heads", "learning_curves", name="draw_learning_curves"),
            Node(
                nodes.draw_finetuned_confusion_matrix,
                inputs="training_image_predictions",
                outputs="finetuned_confusion_matrix",
                name="draw_finetuned_confusion_matrix",
            ),
        ],
        namespace="transfer_learning",
        prefix_datasets_with_namespace=False,
        tags="transfer_learning",
    )
