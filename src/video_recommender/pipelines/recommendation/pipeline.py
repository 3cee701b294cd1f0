"""Pipeline of the recommendation stage."""

from kedro.pipeline import Node, Pipeline

from . import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline that recommends videos from their points in object space, and evaluates it."""
    evaluation = ["corpus", "params:recommendation", "params:seed"]
    report = "recommendation_report"
    return Pipeline(
        [
            Node(nodes.fit_recommender, ["video_points", "corpus"], "recommender", name="fit_recommender"),
            Node(
                nodes.recommend_videos,
                inputs=["recommender", "video_points", "video_features", "object_space", "params:recommendation"],
                outputs="recommendations",
                name="recommend_videos",
            ),
            Node(
                nodes.compare_recommenders,
                inputs=["video_points", "object_scores", "detections", "class_embeddings", "embeddings", *evaluation],
                outputs=report,
                name="compare_recommenders",
            ),
            Node(
                nodes.compare_importances,
                inputs=["object_scores", "object_space", *evaluation],
                outputs="importance_report",
                name="compare_importances",
            ),
            Node(nodes.summarise_recommendations, report, "recommendation_metrics", name="summarise_recommendations"),
            Node(
                nodes.draw_recommendation_comparison,
                inputs=report,
                outputs="recommendation_comparison",
                name="draw_recommendation_comparison",
            ),
        ],
        namespace="recommendation",
        prefix_datasets_with_namespace=False,
        tags="recommendation",
    )
