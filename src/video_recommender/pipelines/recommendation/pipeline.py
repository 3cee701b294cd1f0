"""Wiring of the recommendation stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    compare_importances,
    compare_recommenders,
    draw_recommendation_comparison,
    fit_recommender,
    recommend_videos,
    summarise_recommendations,
)


def create_pipeline() -> Pipeline:
    """Points in object space in; recommendations and their metrics out."""
    return Pipeline(
        [
            Node(fit_recommender, ["video_points", "corpus"], "recommender", name="fit_recommender"),
            Node(
                recommend_videos,
                inputs=["recommender", "video_points", "video_features", "object_space", "params:recommendation"],
                outputs="recommendations",
                name="recommend_videos",
            ),
            Node(
                compare_recommenders,
                inputs=[
                    "video_points",
                    "object_scores",
                    "detections",
                    "class_embeddings",
                    "embeddings",
                    "corpus",
                    "params:recommendation",
                    "params:seed",
                ],
                outputs="recommendation_report",
                name="compare_recommenders",
            ),
            Node(
                compare_importances,
                inputs=["object_scores", "object_space", "corpus", "params:recommendation", "params:seed"],
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
