"""Wiring of the answer for one new video."""

from kedro.pipeline import Node, Pipeline

from .nodes import answer_for_new_video, name_objects_in_new_video, place_new_video, sample_new_video, segment_new_video


def create_pipeline() -> Pipeline:
    """A video file in; its objects, category, neighbours and ad out."""
    return Pipeline(
        [
            Node(
                sample_new_video,
                inputs=["params:inference", "params:preprocessing"],
                outputs="new_video_frames",
                name="sample_new_video",
            ),
            Node(
                name_objects_in_new_video,
                inputs=["new_video_frames", "object_classifier", "finetuned_classifier", "object_space"],
                outputs=["new_video_detections", "new_video_class_scores"],
                name="name_objects_in_new_video",
            ),
            Node(
                segment_new_video,
                inputs=["new_video_frames", "object_segmenter", "object_space"],
                outputs=["new_video_segmentations", "new_video_segmentation_scores"],
                name="segment_new_video",
            ),
            Node(
                place_new_video,
                inputs=[
                    "new_video_detections",
                    "new_video_class_scores",
                    "new_video_segmentations",
                    "new_video_segmentation_scores",
                    "object_space",
                ],
                outputs=["new_video_features", "new_video_points"],
                name="place_new_video",
            ),
            Node(
                answer_for_new_video,
                inputs=[
                    "new_video_detections",
                    "new_video_segmentations",
                    "new_video_features",
                    "new_video_points",
                    "video_features",
                    "object_space",
                    "category_classifier",
                    "recommender",
                    "viewer_model",
                    "ad_features",
                    "ad_policy",
                    "params:inference",
                ],
                outputs="new_video_answer",
                name="answer_for_new_video",
            ),
        ],
        namespace="inference",
        prefix_datasets_with_namespace=False,
        tags=["inference", "on_demand"],
    )
