"""Learn which ad to show before each video, and tell how much that earns."""

import logging
from collections.abc import Mapping
from typing import Annotated, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from video_recommender.advertising.ad_selection import observe_first, recommend_first_ads
from video_recommender.advertising.ad_table import check_ads, make_up_ads, require_categories
from video_recommender.advertising.ads import AdInventory
from video_recommender.advertising.contextual_bandit import (
    BanditOptions,
    LinearPolicy,
    train_contextual_bandit,
)
from video_recommender.advertising.corpus_viewers import (
    AdFeatureOptions,
    VideoProjection,
    believed_categories,
    build_viewers,
    categories_of_videos,
    describe_videos,
)
from video_recommender.advertising.deep_q_network import AgentOptions, train_deep_q_network
from video_recommender.advertising.evaluation import (
    OPTIMUM,
    PARTS,
    AdEvaluationOptions,
    evaluate_on_unseen_videos,
    evaluate_policies,
    reference_policies,
    tabulate_choices,
    with_regret,
)
from video_recommender.advertising.figures import choices_figure, learning_curve_figure
from video_recommender.advertising.learning_progress import LearntPolicy
from video_recommender.advertising.off_policy import evaluate_from_log
from video_recommender.advertising.policies import AdPolicy, EpsilonMixedPolicy, KindPolicy
from video_recommender.advertising.q_network_policy import QNetworkPolicy
from video_recommender.advertising.session_log import log_sessions
from video_recommender.advertising.tabular_q_learning import TableOptions, TablePolicy, train_q_table
from video_recommender.advertising.viewer_model import ViewerModel, ViewerOptions
from video_recommender.networks.pretrained import KerasModel
from video_recommender.schemas import (
    AdChoices,
    AdLearningCurve,
    AdObservations,
    AdPolicyReport,
    AdRecommendations,
    Ads,
    AdSessionLog,
    CategoryPredictions,
    Corpus,
    OffPolicyReport,
    Recommendations,
    VideoPoints,
)

logger = logging.getLogger(__name__)

AGENT = "deep_q_network"
SimpleAgents: TypeAlias = Mapping[str, LearntPolicy[TablePolicy] | LearntPolicy[LinearPolicy]]
"""What simpler agents have learnt, by name."""

METRICS = ["revenue_per_session", "share_of_optimum", "share_of_bound", "watch_rate", "videos_per_session"]


class AdLogOptions(BaseModel):
    """How sessions are logged (parameters_advertising.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sessions: PositiveInt = 20_000
    exploration: Annotated[float, Field(gt=0, le=1)] = 0.3
    seed: NonNegativeInt = 0


def prepare_ads(
    ad_table: pd.DataFrame | None,
    corpus: DataFrame[Corpus],
    category_predictions: DataFrame[CategoryPredictions],
    seed: int,
) -> DataFrame[Ads]:
    """Check the table of ads, or make ads up where there is none.

    Args:
        ad_table: somebody's own, as text; None: there is none.
        corpus: category of each video, and whether it counts.
        category_predictions: the category that a video without one is taken for.
        seed: where the chance of made-up ads begins.

    Returns:
        A long and a short ad for every category.

    Raises:
        ValueError: if the table cannot be used; the message names the rows.
    """
    categories = categories_of_videos(corpus, category_predictions)
    if ad_table is None:
        return make_up_ads(categories, seed)
    ads = check_ads(ad_table)
    require_categories(ads, categories)
    return ads


def fit_ad_features(video_points: DataFrame[VideoPoints], options: AdFeatureOptions) -> VideoProjection:
    """Find the few axes on which the corpus differs most: what an agent is told of what a video looks like.

    Args:
        video_points: where each video lies in object space.
        options: see `AdFeatureOptions`.

    Returns:
        Reduces these points, and those of new videos.
    """
    return VideoProjection.fit(video_points.sort_index(), options)


def model_viewers(
    recommendations: DataFrame[Recommendations],
    video_points: DataFrame[VideoPoints],
    ad_features: VideoProjection,
    corpus: DataFrame[Corpus],
    category_predictions: DataFrame[CategoryPredictions],
    ads: DataFrame[Ads],
    options: ViewerOptions,
) -> ViewerModel:
    """Make viewers who go from video to video along the recommendations.

    Args:
        recommendations: where they go from each video.
        video_points: where each video lies in object space.
        ad_features: reduces the points to what an agent is told of them.
        corpus: category of each video, and whether it counts.
        category_predictions: what each is taken for, which is what an agent is told.
        ads: what can be shown.
        options: see `ViewerOptions`.

    Returns:
        See `ViewerModel`.
    """
    categories = categories_of_videos(corpus, category_predictions)
    inventory = AdInventory.from_table(ads)
    beliefs = believed_categories(category_predictions, list(categories.index), inventory.category_names)
    features = describe_videos(beliefs, ad_features.project(video_points.loc[categories.index]))
    return build_viewers(recommendations, features, categories, inventory, options)


def observe_first_ads(viewer_model: ViewerModel) -> DataFrame[AdObservations]:
    """Tell what an agent sees before the first ad of a session, for each video."""
    return observe_first(viewer_model)


def train_ad_agent(
    viewer_model: ViewerModel, options: AgentOptions
) -> tuple[QNetworkPolicy, KerasModel, DataFrame[AdLearningCurve]]:
    """Let a deep Q-network try ads on viewers until it knows what each is worth.

    Args:
        viewer_model: whom it tries them on.
        options: see `AgentOptions`.

    Returns:
        The policy, the network, and how well it did while it learnt.
    """
    trained = train_deep_q_network(viewer_model, options)
    return trained.policy, trained.network, trained.learning_curve


def train_simple_ad_agents(viewer_model: ViewerModel, table: TableOptions, bandit: BanditOptions) -> SimpleAgents:
    """Let simpler agents learn too: Q-learning with a table, and a bandit that does not look ahead.

    Args:
        viewer_model: whom they try ads on.
        table: see `TableOptions`.
        bandit: see `BanditOptions`.

    Returns:
        What they have learnt, by name.
    """
    return {
        "q_table": train_q_table(viewer_model, table),
        "lin_ucb": train_contextual_bandit(viewer_model, bandit),
    }


def evaluate_ad_policies(
    viewer_model: ViewerModel,
    ad_policy: QNetworkPolicy,
    simple_ad_agents: SimpleAgents,
    options: AdEvaluationOptions,
) -> DataFrame[AdPolicyReport]:
    """Tell what the agents earn, beside simple rules and the optimum.

    Args:
        viewer_model: to whom they show ads.
        ad_policy: the agent.
        simple_ad_agents: the simpler ones.
        options: see `AdEvaluationOptions`.

    Returns:
        A row per policy, the best first.
    """
    simple = {name: learnt.policy for name, learnt in simple_ad_agents.items()}
    return evaluate_policies(viewer_model, {AGENT: ad_policy, **simple, **reference_policies()}, options)


def evaluate_ads_on_unseen_videos(
    viewer_model: ViewerModel, corpus: DataFrame[Corpus], agent: AgentOptions, options: AdEvaluationOptions
) -> DataFrame[AdPolicyReport]:
    """Tell what an agent earns with videos of which it has learnt nothing, nor of any of their groups.

    Args:
        viewer_model: to whom it shows ads.
        corpus: the group of each video.
        agent: how it learns, from two thirds of the videos.
        options: see `AdEvaluationOptions`.

    Returns:
        A row per policy, the best first; none where there are too few groups.
    """
    groups = corpus.set_index("video_id")["group"].loc[list(viewer_model.video_ids)]
    if groups.nunique() < PARTS:
        logger.warning("Ads cannot be judged on unseen videos: that needs videos of %d groups", PARTS)
        return AdPolicyReport.validate(pd.DataFrame(columns=list(AdPolicyReport.to_schema().columns)))

    def learn(seen: ViewerModel) -> Mapping[str, AdPolicy]:
        return {AGENT: train_deep_q_network(seen, agent).policy, **reference_policies()}

    return evaluate_on_unseen_videos(viewer_model, groups, learn, options)


def measure_ad_learning(
    ad_agent_progress: DataFrame[AdLearningCurve],
    simple_ad_agents: SimpleAgents,
    ad_policy_report: DataFrame[AdPolicyReport],
) -> DataFrame[AdLearningCurve]:
    """Tell how well all agents did while they learnt, and what that has cost beside the optimum.

    Args:
        ad_agent_progress: how the deep Q-network did.
        simple_ad_agents: the others.
        ad_policy_report: tells what the optimum earns.

    Returns:
        The curves of all agents, with regret.
    """
    curves = [ad_agent_progress, *(learnt.learning_curve for learnt in simple_ad_agents.values())]
    return with_regret(pd.concat(curves, ignore_index=True), _optimal_revenue(ad_policy_report))


def tabulate_ad_choices(
    viewer_model: ViewerModel, ad_policy: QNetworkPolicy, options: AdEvaluationOptions
) -> DataFrame[AdChoices]:
    """Tell which ads the agent shows before videos of which category, and what comes of it."""
    return tabulate_choices(viewer_model, ad_policy, options)


def draw_ad_learning(
    ad_learning_curve: DataFrame[AdLearningCurve], ad_policy_report: DataFrame[AdPolicyReport]
) -> go.Figure:
    """Draw how the agents have learnt, and what that has cost."""
    return learning_curve_figure(ad_learning_curve, _optimal_revenue(ad_policy_report))


def draw_ad_choices(ad_choices: DataFrame[AdChoices]) -> go.Figure:
    """Draw which ads the agent shows before videos of which category."""
    return choices_figure(ad_choices)


def recommend_ads(viewer_model: ViewerModel, ad_policy: QNetworkPolicy) -> DataFrame[AdRecommendations]:
    """Name the ad for each video, and what it earns on average."""
    return recommend_first_ads(viewer_model, ad_policy)


def log_ad_sessions(viewer_model: ViewerModel, options: AdLogOptions) -> DataFrame[AdSessionLog]:
    """Write a log as a platform would that shows short ads and tries others now and then.

    Args:
        viewer_model: whose sessions are logged.
        options: see `AdLogOptions`.

    Returns:
        A row per ad, with the probability that it would be shown.
    """
    policy = EpsilonMixedPolicy(KindPolicy("short"), options.exploration)
    return log_sessions(viewer_model, policy, options.sessions, np.random.default_rng(options.seed))


def evaluate_logged_ads(
    ad_session_log: DataFrame[AdSessionLog], viewer_model: ViewerModel, ad_policy: QNetworkPolicy
) -> DataFrame[OffPolicyReport]:
    """Tell from the log what the agent would earn, and what simpler policies would.

    Args:
        ad_session_log: the log of another policy.
        viewer_model: what is known of the videos and ads; nothing of how viewers behave is used.
        ad_policy: the agent.

    Returns:
        See `evaluate_from_log`.
    """
    policies: dict[str, AdPolicy] = {
        AGENT: ad_policy,
        "always_long": KindPolicy("long"),
        "always_short": KindPolicy("short"),
    }
    return evaluate_from_log(ad_session_log, viewer_model, policies)


def summarise_advertising(
    ad_policy_report: DataFrame[AdPolicyReport], unseen_ad_policy_report: DataFrame[AdPolicyReport]
) -> dict[str, float]:
    """Flatten the report into names such as `share_of_optimum` and `random_revenue_per_session_unseen`.

    Args:
        ad_policy_report: what each policy earns.
        unseen_ad_policy_report: what it earns with videos of which agents have learnt nothing.

    Returns:
        The agent's figures bear no prefix. What could not be measured is left out.
    """
    reports = pd.concat([ad_policy_report, unseen_ad_policy_report], ignore_index=True)
    measured = reports.melt(["policy", "videos"], METRICS, "metric").dropna()
    prefixes = measured["policy"].where(measured["policy"] != AGENT, "").add("_").str.removeprefix("_")
    suffixes = ("_" + measured["videos"]).where(measured["videos"] != "all", "")
    names = prefixes + measured["metric"] + suffixes
    return dict(zip(names.tolist(), measured["value"].astype(float).tolist(), strict=True))


def _optimal_revenue(ad_policy_report: DataFrame[AdPolicyReport]) -> float:
    is_optimum = ad_policy_report["policy"] == OPTIMUM
    return float(ad_policy_report.loc[is_optimum, "revenue_per_session"].iloc[0])
