"""Wiring of the recommendation pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    compare_importances,
    compare_recommenders,
    count_objects,
    draw_recommendation_comparison,
    fit_recommender,
    recommend_videos,
    summarise_recommendations,
)


def create_pipeline() -> Pipeline:
    """From points in object space to ten recommendations per video and how good they are."""
    return Pipeline(
        [
            Node(
                fit_recommender,
                inputs=["video_points", "corpus", "params:recommendation"],
                outputs="recommender",
                name="fit_recommender",
            ),
            Node(
                recommend_videos,
                inputs=["recommender", "video_points", "video_features", "object_space", "params:recommendation"],
                outputs="recommendations",
                name="recommend_videos",
            ),
            Node(count_objects, inputs="detections", outputs="object_counts", name="count_objects"),
            Node(
                compare_recommenders,
                inputs=[
                    "video_points",
                    "object_counts",
                    "class_score_table",
                    "video_embeddings",
                    "corpus",
                    "params:recommendation",
                ],
                outputs="recommendation_report",
                name="compare_recommenders",
            ),
            Node(
                compare_importances,
                inputs=[
                    "object_scores",
                    "object_classes",
                    "corpus",
                    "params:features",
                    "params:recommendation",
                ],
                outputs="importance_report",
                name="compare_importances",
            ),
            Node(
                summarise_recommendations,
                inputs="recommendation_report",
                outputs="recommendation_metrics",
                name="summarise_recommendations",
            ),
            Node(
                draw_recommendation_comparison,
                inputs="recommendation_report",
                outputs="recommendation_comparison",
                name="draw_recommendation_comparison",
            ),
        ],
        namespace="recommendation",
        prefix_datasets_with_namespace=False,
        tags="recommendation",
    )
