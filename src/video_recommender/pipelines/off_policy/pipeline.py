"""Pipeline of off-policy evaluation."""

from kedro.pipeline import Node, Pipeline

from .nodes import evaluate_logged_ads, prepare_session_log


def create_pipeline() -> Pipeline:
    """Create the pipeline that estimates the revenue of ad policies from a log of sessions."""
    return Pipeline(
        [
            Node(
                prepare_session_log,
                inputs=["own_ad_session_log", "viewer_model", "params:off_policy", "params:seed"],
                outputs="ad_session_log",
                name="prepare_session_log",
            ),
            Node(
                evaluate_logged_ads,
                inputs=["ad_session_log", "viewer_model", "ad_policy"],
                outputs="off_policy_report",
                name="evaluate_logged_ads",
            ),
        ],
        namespace="off_policy",
        prefix_datasets_with_namespace=False,
        tags="off_policy",
    )
