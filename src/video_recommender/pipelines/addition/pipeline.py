"""Wiring of what adds new videos to a finished corpus."""

from kedro.pipeline import Node, Pipeline

from video_recommender.pipelines import deduplication, detection, ingestion, preprocessing

from .nodes import (
    extend_object_tables,
    extend_predictions,
    extend_recommendations,
    extend_recommender,
    place_added_videos,
)


def create_pipeline() -> Pipeline:
    """New video files in; the tables, the recommender, the lists and the categories of all videos, out.

    What is made for each video is made by the nodes of its own stage, as in a whole run. Whether new videos repeat
    others is left to that: all would have to be compared.
    """
    extended = Pipeline(
        [
            Node(
                place_added_videos,
                inputs=[
                    "detections",
                    "class_scores",
                    "category_predictions",
                    "recommendations",
                    "object_space",
                ],
                outputs=["added_features", "added_points"],
                name="place_added_videos",
            ),
            Node(
                extend_object_tables,
                inputs=["video_features", "video_points", "added_features", "added_points", "object_space"],
                outputs=["extended_video_features", "extended_video_points"],
                name="extend_object_tables",
            ),
            Node(
                extend_recommender,
                inputs=["recommender", "added_points", "corpus"],
                outputs="extended_recommender",
                name="extend_recommender",
            ),
            Node(
                extend_recommendations,
                inputs=[
                    "recommendations",
                    "extended_recommender",
                    "extended_video_points",
                    "extended_video_features",
                    "added_points",
                    "object_space",
                    "params:recommendation",
                ],
                outputs="extended_recommendations",
                name="extend_recommendations",
            ),
            Node(
                extend_predictions,
                inputs=["category_predictions", "category_classifier", "added_points", "corpus"],
                outputs="extended_category_predictions",
                name="extend_predictions",
            ),
        ],
        namespace="addition",
        prefix_datasets_with_namespace=False,
        tags=["addition", "on_demand"],
    )
    corpus = deduplication.create_pipeline().only_nodes("deduplication.select_corpus")
    of_each_video = (ingestion.create_pipeline(), preprocessing.create_pipeline(), detection.create_pipeline())
    return sum(of_each_video, start=corpus + extended).to_outputs(*extended.outputs())
