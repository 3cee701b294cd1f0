"""Train agents that select an ad before each video, and evaluate their revenue."""

import logging
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.advertising.ads import AdInventory, check_ads, generate_ads, require_categories
from video_recommender.advertising.baseline_agents import train_contextual_bandit, train_q_table
from video_recommender.advertising.deep_q_network import AgentOptions, train_deep_q_network
from video_recommender.advertising.evaluation import (
    AGENT,
    BANDIT,
    FOLDS,
    OPTIMUM,
    Q_TABLE,
    AdEvaluationOptions,
    TrainedPolicy,
    add_regret,
    evaluate_on_unseen_videos,
    evaluate_policies,
    plot_choices,
    plot_learning_curve,
    reference_policies,
    tabulate_choices,
)
from video_recommender.advertising.policies import AdPolicy, QNetworkPolicy
from video_recommender.advertising.viewers import (
    VideoProjection,
    ViewerModel,
    ViewerOptions,
    categories_of_videos,
    category_probabilities,
    combine_features,
)
from video_recommender.networks.pretrained import KerasModel
from video_recommender.schemas import (
    AdChoices,
    AdLearningCurve,
    AdObservations,
    AdPolicyReport,
    AdRecommendations,
    Ads,
    CategoryPredictions,
    Corpus,
    Recommendations,
    VideoPoints,
)

logger = logging.getLogger(__name__)

TrainedAgents: TypeAlias = Mapping[str, TrainedPolicy]
"""Mapping from names of agents to trained policies with learning curves."""

TABLE_STEPS_RATIO = 2.5
BANDIT_STEPS_RATIO = 0.05
"""Training steps relative to the deep Q-network. A table needs more steps, because it does not generalise across
states. A linear bandit needs few steps."""

METRICS = ["revenue_per_session", "share_of_optimum", "share_of_bound", "watch_rate", "videos_per_session"]


def prepare_ads(
    ad_table: pd.DataFrame | None,
    corpus: DataFrame[Corpus],
    category_predictions: DataFrame[CategoryPredictions],
    seed: int,
) -> DataFrame[Ads]:
    """Validate the user's table of ads, or generate ads if there is none.

    Returns:
        A long and a short ad for every category.

    Raises:
        ValueError: if rows are invalid or missing. The message lists these rows.
    """
    categories = categories_of_videos(corpus, category_predictions)
    if ad_table is None:
        return generate_ads(categories, seed)
    ads = check_ads(ad_table)
    require_categories(ads, categories)
    return ads


def model_viewers(
    recommendations: DataFrame[Recommendations],
    video_points: DataFrame[VideoPoints],
    corpus: DataFrame[Corpus],
    category_predictions: DataFrame[CategoryPredictions],
    ads: DataFrame[Ads],
    options: ViewerOptions,
    seed: int,
) -> ViewerModel:
    """Build simulated viewers who continue from each video to one of its recommended videos."""
    categories = categories_of_videos(corpus, category_predictions)
    inventory = AdInventory.from_table(ads)
    probabilities = category_probabilities(category_predictions, list(categories.index), inventory.category_names)
    projection = VideoProjection.fit(video_points.sort_index(), seed)
    features = combine_features(probabilities, projection.project(video_points.loc[categories.index]))
    return ViewerModel.from_recommendations(recommendations, categories, features, inventory, options, projection)


def observe_first_ads(viewer_model: ViewerModel) -> DataFrame[AdObservations]:
    """Tabulate the observation before the first ad of a session that starts at each video."""
    features = [f"feature_{number}" for number in range(1, viewer_model.video_features.shape[1] + 1)]
    counts = [f"{name}_{ad}" for name in ("in_a_row", "shown", "watched") for ad in viewer_model.ads.ad_ids]
    index = pd.Index(viewer_model.video_ids, name="video_id")
    observations = viewer_model.observe(viewer_model.start_everywhere())
    return AdObservations.validate(pd.DataFrame(observations, index, [*features, "position", *counts]))


def train_ad_agents(
    viewer_model: ViewerModel, options: AgentOptions, seed: int
) -> tuple[QNetworkPolicy, KerasModel, TrainedAgents]:
    """Train a deep Q-network and, for comparison, tabular Q-learning and a contextual bandit.

    Returns:
        The policy of the deep Q-network, the network as a Keras model, and all agents with their learning curves.
    """
    agent = train_deep_q_network(viewer_model, options, seed)
    agents: TrainedAgents = {
        AGENT: TrainedPolicy(agent.policy, agent.learning_curve),
        Q_TABLE: train_q_table(viewer_model, round(TABLE_STEPS_RATIO * options.steps), seed),
        BANDIT: train_contextual_bandit(viewer_model, round(BANDIT_STEPS_RATIO * options.steps), seed),
    }
    return agent.policy, agent.network, agents


def evaluate_ad_policies(
    viewer_model: ViewerModel,
    ad_agents: TrainedAgents,
    corpus: DataFrame[Corpus],
    agent: AgentOptions,
    options: AdEvaluationOptions,
    seed: int,
) -> DataFrame[AdPolicyReport]:
    """Evaluate the agents, simple policies and the optimal policy on all videos and on unseen videos.

    For unseen videos, the network is trained on two thirds of the videos, and policies are evaluated on the others.

    Returns:
        One row per policy and choice of videos. If there are too few groups, there are no rows for unseen videos.
    """
    policies = {name: trained.policy for name, trained in ad_agents.items()}
    on_all = evaluate_policies(viewer_model, {**policies, **reference_policies()}, options, seed)
    groups = corpus.set_index("video_id")["group"].loc[list(viewer_model.video_ids)]
    if groups.nunique() < FOLDS:
        logger.warning("Skipped the evaluation of ad policies on unseen videos, which needs at least %d groups", FOLDS)
        return on_all

    def train(seen: ViewerModel) -> Mapping[str, AdPolicy]:
        return {AGENT: train_deep_q_network(seen, agent, seed).policy, **reference_policies()}

    on_unseen = evaluate_on_unseen_videos(viewer_model, groups, train, options, seed)
    return AdPolicyReport.validate(pd.concat([on_all, on_unseen], ignore_index=True))


def report_ad_learning(
    ad_agents: TrainedAgents, ad_policy_report: DataFrame[AdPolicyReport]
) -> tuple[DataFrame[AdLearningCurve], go.Figure]:
    """Join the learning curves of all agents, add their regret, and plot them."""
    is_optimum = (ad_policy_report["policy"] == OPTIMUM) & (ad_policy_report["videos"] == "all")
    optimal_revenue = float(ad_policy_report.loc[is_optimum, "revenue_per_session"].iloc[0])
    curves = pd.concat([trained.learning_curve for trained in ad_agents.values()], ignore_index=True)
    curve = add_regret(curves, optimal_revenue)
    return curve, plot_learning_curve(curve, optimal_revenue)


def report_ad_choices(
    viewer_model: ViewerModel, ad_policy: QNetworkPolicy, options: AdEvaluationOptions, seed: int
) -> tuple[DataFrame[AdChoices], go.Figure]:
    """Tabulate and plot the ads that the agent shows before videos of each category."""
    choices = tabulate_choices(viewer_model, ad_policy, options, seed)
    return choices, plot_choices(choices)


def recommend_ads(viewer_model: ViewerModel, ad_policy: AdPolicy) -> DataFrame[AdRecommendations]:
    """Select the first ad of a session at each video, and compute its expected reward, averaged over tastes."""
    selected = ad_policy.action_probabilities(viewer_model, viewer_model.start_everywhere()).argmax(axis=1)
    rewards = viewer_model.watch_probability_by_category()[viewer_model.video_category] * viewer_model.ads.reward
    table = pd.DataFrame(
        {
            "video_id": viewer_model.video_ids,
            "ad_id": [viewer_model.ads.ad_ids[ad] for ad in selected],
            "expected_reward": rewards[np.arange(len(selected)), selected],
        }
    )
    return AdRecommendations.validate(table)


def summarise_advertising(ad_policy_report: DataFrame[AdPolicyReport]) -> dict[str, float]:
    """Flatten the report into metrics such as `share_of_optimum` and `random_revenue_per_session_unseen`.

    The metrics of the deep Q-network have no prefix. Missing values are omitted.
    """
    measured = ad_policy_report.melt(["policy", "videos"], METRICS, "metric").dropna()
    prefixes = measured["policy"].where(measured["policy"] != AGENT, "").add("_").str.removeprefix("_")
    suffixes = ("_" + measured["videos"]).where(measured["videos"] != "all", "")
    names = prefixes + measured["metric"] + suffixes
    return dict(zip(names.tolist(), measured["value"].astype(float).tolist(), strict=True))
