"""Wiring of the stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    draw_ad_choices,
    draw_ad_learning,
    evaluate_ad_policies,
    evaluate_ads_on_unseen_videos,
    evaluate_logged_ads,
    fit_ad_features,
    log_ad_sessions,
    measure_ad_learning,
    model_viewers,
    observe_first_ads,
    prepare_ads,
    recommend_ads,
    summarise_advertising,
    tabulate_ad_choices,
    train_ad_agent,
    train_simple_ad_agents,
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
                outputs=["ad_policy", "ad_network", "ad_agent_progress"],
                name="train_ad_agent",
            ),
            Node(
                train_simple_ad_agents,
                inputs=["viewer_model", "params:advertising.table", "params:advertising.bandit"],
                outputs="simple_ad_agents",
                name="train_simple_ad_agents",
            ),
            Node(
                evaluate_ad_policies,
                inputs=["viewer_model", "ad_policy", "simple_ad_agents", "params:advertising.evaluation"],
                outputs="ad_policy_report",
                name="evaluate_ad_policies",
            ),
            Node(
                evaluate_ads_on_unseen_videos,
                inputs=["viewer_model", "corpus", "params:advertising.agent", "params:advertising.evaluation"],
                outputs="unseen_ad_policy_report",
                name="evaluate_ads_on_unseen_videos",
            ),
            Node(
                measure_ad_learning,
                inputs=["ad_agent_progress", "simple_ad_agents", "ad_policy_report"],
                outputs="ad_learning_curve",
                name="measure_ad_learning",
            ),
            Node(
                tabulate_ad_choices,
                inputs=["viewer_model", "ad_policy", "params:advertising.evaluation"],
                outputs="ad_choices",
                name="tabulate_ad_choices",
            ),
            Node(
                draw_ad_learning,
                inputs=["ad_learning_curve", "ad_policy_report"],
                outputs="ad_learning_figure",
                name="draw_ad_learning",
            ),
            Node(
                draw_ad_choices,
                inputs="ad_choices",
                outputs="ad_choice_figure",
                name="draw_ad_choices",
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
            Node(
                summarise_advertising,
                inputs=["ad_policy_report", "unseen_ad_policy_report"],
                outputs="advertising_metrics",
                name="summarise_advertising",
            ),
        ],
        namespace="advertising",
        prefix_datasets_with_namespace=False,
        tags="advertising",
    )
