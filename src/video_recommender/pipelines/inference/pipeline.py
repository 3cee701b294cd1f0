"""Pipeline of the inference stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import answer_for_new_videos


def create_pipeline() -> Pipeline:
    """Create the pipeline that predicts objects, category, neighbours and ad of new videos."""
    return Pipeline(
        [
            Node(
                answer_for_new_videos,
                inputs=[
                    "object_classifier",
                    "finetuned_classifier",
                    "object_segmenter",
                    "object_space",
                    "video_features",
                    "category_classifier",
                    "recommender",
                    "viewer_model",
                    "ad_policy",
                    "params:inference",
                    "params:preprocessing",
                    "params:recommendation",
                ],
                outputs="new_video_answers",
                name="answer_for_new_videos",
                tags="always_run",
            )
        ],
        namespace="inference",
        prefix_datasets_with_namespace=False,
        tags="inference",
    )
