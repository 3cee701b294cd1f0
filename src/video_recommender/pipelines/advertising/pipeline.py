"""Wiring of the stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    evaluate_logged_ads,
    fit_ad_features,
    log_ad_sessions,
    model_viewers,
    observe_first_ads,
    prepare_ads,
    recommend_ads,
    train_ad_agent,
)


def create_pipeline() -> Pipeline:
    """Recommendations and a table of ads in; a policy that names the ad, and how much it earns, out."""
    return Pipeline(
        [
            Node(
                prepare_ads,
                inputs=["ad_table", "corpus", "category_predictions", "params:seed"],
                outputs="ads",
                name="prepare_ads",
            ),
            Node(
                fit_ad_features,
                inputs=["video_points", "params:advertising.features"],
                outputs="ad_features",
                name="fit_ad_features",
            ),
            Node(
                model_viewers,
                inputs=[
                    "recommendations",
                    "video_points",
                    "ad_features",
                    "corpus",
                    "category_predictions",
                    "ads",
                    "params:advertising.viewer",
                ],
                outputs="viewer_model",
                name="model_viewers",
            ),
            Node(
                observe_first_ads,
                inputs="viewer_model",
                outputs="ad_observations",
                name="observe_first_ads",
            ),
            Node(
                train_ad_agent,
                inputs=["viewer_model", "params:advertising.agent"],
                outputs=["ad_policy", "ad_network", "ad_learning_curve"],
                name="train_ad_agent",
            ),
            Node(
                recommend_ads,
                inputs=["viewer_model", "ad_policy"],
                outputs="ad_recommendations",
                name="recommend_ads",
            ),
            Node(
                log_ad_sessions,
                inputs=["viewer_model", "params:advertising.log"],
                outputs="ad_session_log",
                name="log_ad_sessions",
            ),
            Node(
                evaluate_logged_ads,
                inputs=["ad_session_log", "viewer_model", "ad_policy"],
                outputs="off_policy_report",
                name="evaluate_logged_ads",
            ),
        ],
        tags="advertising",
    )
