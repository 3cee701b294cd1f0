"""Pipeline of the advertising stage."""

from kedro.pipeline import Node, Pipeline

from .nodes import (
    evaluate_ad_policies,
    model_viewers,
    observe_first_ads,
    prepare_ads,
    recommend_ads,
    report_ad_choices,
    report_ad_learning,
    summarise_advertising,
    train_ad_agents,
)


def create_pipeline() -> Pipeline:
    """Create the pipeline that trains and evaluates ad policies, and recommends an ad for each video."""
    return Pipeline(
        [
            Node(
                prepare_ads,
                inputs=["ad_table", "corpus", "category_predictions", "params:seed"],
                outputs="ads",
                name="prepare_ads",
            ),
            Node(
                model_viewers,
                inputs=[
                    "recommendations",
                    "video_points",
                    "corpus",
                    "category_predictions",
                    "ads",
                    "params:advertising.viewer",
                    "params:seed",
                ],
                outputs="viewer_model",
                name="model_viewers",
            ),
            Node(observe_first_ads, inputs="viewer_model", outputs="ad_observations", name="observe_first_ads"),
            Node(
                train_ad_agents,
                inputs=["viewer_model", "params:advertising.agent", "params:seed"],
                outputs=["ad_policy", "ad_network", "ad_agents"],
                name="train_ad_agents",
            ),
            Node(
                evaluate_ad_policies,
                inputs=[
                    "viewer_model",
                    "ad_agents",
                    "corpus",
                    "params:advertising.agent",
                    "params:advertising.evaluation",
                    "params:seed",
                ],
                outputs="ad_policy_report",
                name="evaluate_ad_policies",
            ),
            Node(
                report_ad_learning,
                inputs=["ad_agents", "ad_policy_report"],
                outputs=["ad_learning_curve", "ad_learning_figure"],
                name="report_ad_learning",
            ),
            Node(
                report_ad_choices,
                inputs=["viewer_model", "ad_policy", "params:advertising.evaluation", "params:seed"],
                outputs=["ad_choices", "ad_choice_figure"],
                name="report_ad_choices",
            ),
            Node(
                recommend_ads, inputs=["viewer_model", "ad_policy"], outputs="ad_recommendations", name="recommend_ads"
            ),
            Node(
                summarise_advertising,
                inputs="ad_policy_report",
                outputs="advertising_metrics",
                name="summarise_advertising",
            ),
        ],
        namespace="advertising",
        prefix_datasets_with_namespace=False,
        tags="advertising",
    )
