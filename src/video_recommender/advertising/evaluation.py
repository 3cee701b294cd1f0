"""Evaluate policies by simulation: learning curves during training, and revenue relative to the optimum."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from plotly.subplots import make_subplots
from pydantic import BaseModel, Field
from scipy.stats import t as student
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.optimum import OptimalPolicy, bracket_optimum
from video_recommender.advertising.policies import AdPolicy, KindPolicy, MatchedGreedyPolicy, RandomPolicy
from video_recommender.advertising.simulation import SessionTotals, simulate
from video_recommender.advertising.viewers import StepResult, ViewerModel
from video_recommender.schemas import AdChoices, AdLearningCurve, AdPolicyReport

AGENT, Q_TABLE, BANDIT = "deep_q_network", "q_table", "lin_ucb"
"""Names of the agents in tables and metrics."""
LABELS = {AGENT: "deep Q-network", Q_TABLE: "tabular Q-learning", BANDIT: "LinUCB"}
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")

PARALLEL_SESSIONS = 512
"""Sessions per training round; each shows one ad. More sessions take less time per ad but give fewer updates."""
EVALUATIONS = 20  # number of evaluations per training
SESSIONS_PER_EVALUATION = 2000

OPTIMUM = "optimum"
CONFIDENCE = 0.95
MIN_CHOICE_SHARE = 0.005  # ads with a smaller share are omitted
FOLDS = 3  # one of three folds of the videos is held out to evaluate agents on unseen videos

BOUND_SESSIONS_SHARE = 0.4
"""Sessions for the upper bound, relative to a run. Fewer suffice, because watching and leaving are not drawn."""

CurveCallback: TypeAlias = Callable[[DataFrame[AdLearningCurve]], None]
"""Function that is called with the learning curve so far after each evaluation, for example to plot the curve."""

TrainPolicies: TypeAlias = Callable[[ViewerModel], Mapping[str, AdPolicy]]
"""Function that trains policies on viewers and returns a mapping from names to policies."""


class AdEvaluationOptions(BaseModel, extra="forbid", frozen=True):
    """Options of the evaluation of policies (parameters_advertising.yml)."""

    runs: Annotated[int, Field(ge=2)] = 10
    sessions: Annotated[int, Field(ge=5)] = 5000


@dataclass(frozen=True, eq=False)
class TrainedPolicy:
    """A trained policy, without exploration, and its learning curve."""

    policy: AdPolicy
    learning_curve: DataFrame[AdLearningCurve]


class LearningCurve:
    """Records the revenue of an agent during training, and evaluates the agent's policy at regular intervals.

    `rounds` is the number of training rounds of `PARALLEL_SESSIONS` ads each, rounded up to show at least `steps` ads.
    """

    def __init__(
        self, agent: str, model: ViewerModel, steps: int, seed: int, on_evaluation: CurveCallback | None
    ) -> None:
        self.rounds = -(-steps // PARALLEL_SESSIONS)
        self._agent, self._model, self._seed, self._on_evaluation = agent, model, seed, on_evaluation
        evaluated = np.linspace(self.rounds / EVALUATIONS, self.rounds, EVALUATIONS).round()
        self._evaluated_rounds = frozenset(evaluated.astype(int).tolist())
        self._steps, self._sessions, self._earned = 0, 0, 0.0
        self._rows: list[dict[str, str | float]] = []

    def record(self, number: int, result: StepResult, policy: Callable[[], AdPolicy]) -> None:
        """Add the result of training round `number` (1-based), and evaluate the policy if an evaluation is due."""
        self._steps += len(result.reward)
        self._sessions += int(result.is_over.sum())
        self._earned += float(result.reward.sum())
        if number not in self._evaluated_rounds:
            return
        rng = np.random.default_rng([self._seed, 1])  # independent of training, which uses only the seed
        with threadpool_limits(1, "blas"):  # faster: the matrices are too small for several threads
            revenue = simulate(self._model, policy(), SESSIONS_PER_EVALUATION, rng).revenue
        self._rows.append(
            {
                "agent": self._agent,
                "steps": self._steps,
                "sessions": self._sessions,
                "earned": self._earned,
                "revenue_per_session": float(revenue.mean()),
                "standard_error": float(revenue.std(ddof=1) / np.sqrt(len(revenue))),
                "regret": np.nan,
            }
        )
        if self._on_evaluation:
            self._on_evaluation(self.table())

    def table(self) -> DataFrame[AdLearningCurve]:
        """Return the learning curve so far, one row per evaluation."""
        return AdLearningCurve.validate(pd.DataFrame(self._rows))


def reference_policies() -> Mapping[str, AdPolicy]:
    """Return a mapping from names to the policies without training that agents are compared with."""
    return {
        "random": RandomPolicy(),
        "always_short": KindPolicy("short"),
        "always_long": KindPolicy("long"),
        "matched_greedy": MatchedGreedyPolicy(),
    }


def evaluate_policies(
    model: ViewerModel,
    policies: Mapping[str, AdPolicy],
    options: AdEvaluationOptions,
    seed: int,
    videos: Literal["all", "unseen"] = "all",
) -> DataFrame[AdPolicyReport]:
    """Simulate sessions under each policy and the optimal policy, and tabulate their revenue in descending order.

    All policies use the same random seeds, so shares are more precise than revenues. Intervals are 95 % Student's t
    intervals over runs. If viewers have tastes, the optimum knows them and is an upper bound. `videos` is a label.
    """
    optimal = OptimalPolicy.solve(model)
    bound_sessions = round(BOUND_SESSIONS_SHARE * options.sessions)
    lower, upper = bracket_optimum(model, optimal, bound_sessions, np.random.default_rng(seed))
    optimum_share_of_bound = lower.sum() / upper.sum() if upper.sum() > 0 else np.nan
    runs = {
        name: _simulate_runs(model, policy, options, seed) for name, policy in {OPTIMUM: optimal, **policies}.items()
    }
    best = _revenues(runs[OPTIMUM])
    rows = []
    for name, totals in runs.items():
        revenues = _revenues(totals)
        shares = np.divide(revenues, best, out=np.full_like(revenues, np.nan), where=best > 0)
        shown = sum(run.videos.sum() for run in totals)
        rows.append(
            {
                "policy": name,
                "videos": videos,
                "runs": options.runs,
                "sessions": options.sessions,
                "revenue_per_session": revenues.mean(),
                **_interval(revenues, "revenue"),
                "share_of_optimum": shares.mean(),
                **_interval(shares, "share"),
                "share_of_bound": shares.mean() * optimum_share_of_bound,
                "watch_rate": sum(run.watched.sum() for run in totals) / shown,
                "videos_per_session": shown / (options.runs * options.sessions),
            }
        )
    report = pd.DataFrame(rows).sort_values("revenue_per_session", ascending=False, kind="stable", ignore_index=True)
    return AdPolicyReport.validate(report)


def evaluate_on_unseen_videos(
    model: ViewerModel, groups: pd.Series, train: TrainPolicies, options: AdEvaluationOptions, seed: int
) -> DataFrame[AdPolicyReport]:
    """Train policies on two thirds of the videos and evaluate them on the other third; see `split_videos`."""
    seen, unseen = split_videos(model, groups, seed)
    policies = train(model.restrict_to(seen))
    return evaluate_policies(model.restrict_to(unseen), policies, options, seed, videos="unseen")


def split_videos(model: ViewerModel, groups: pd.Series, seed: int) -> tuple[IntArray, IntArray]:
    """Return the indices of the training videos and of the held-out third of the videos, both in ascending order.

    `groups` has the index `video_id`. Groups are never split across folds, which prevents data leakage. Folds are
    stratified by category if a category has enough videos. Raises a `ValueError` if there are fewer than 3 groups.
    """
    group = groups.loc[list(model.video_ids)].to_numpy()
    if len(set(group)) < FOLDS:
        raise ValueError(
            f"Unseen videos require at least {FOLDS} groups (found: {len(set(group))}): add videos of other groups"
        )
    is_large_enough = np.bincount(model.video_category).max() >= FOLDS
    strata = model.video_category if is_large_enough else np.zeros_like(model.video_category)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    seen, unseen = next(folds.split(model.video_features, strata, group))
    return seen, unseen


def tabulate_choices(
    model: ViewerModel, policy: AdPolicy, options: AdEvaluationOptions, seed: int
) -> DataFrame[AdChoices]:
    """Tabulate the ads that a policy and the optimal policy show before videos of each category, with watch rates.

    Ads are omitted if their share is below 0.5 % under both policies.
    """
    runs = _simulate_runs(model, policy, options, seed)
    shown = np.sum([run.shown_by_category for run in runs], axis=0)
    watched = np.sum([run.watched_by_category for run in runs], axis=0)
    optimal_runs = _simulate_runs(model, OptimalPolicy.solve(model), options, seed)
    optimal_shown = np.sum([run.shown_by_category for run in optimal_runs], axis=0)
    share, optimal_share = (
        counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) for counts in (shown, optimal_shown)
    )
    category, ad = np.nonzero(np.maximum(share, optimal_share) >= MIN_CHOICE_SHARE)
    times = shown[category, ad]
    watch_rate = np.divide(watched[category, ad], times, out=np.full(len(ad), np.nan), where=times > 0)
    choices = pd.DataFrame(
        {
            "category": np.array(model.category_names)[category],
            "ad_id": np.array(model.ads.ad_ids)[ad],
            "share": share[category, ad],
            "optimal_share": optimal_share[category, ad],
            "watch_rate": watch_rate,
            "revenue_per_showing": watch_rate * model.ads.reward[ad],
        }
    )
    return AdChoices.validate(
        choices.sort_values(["category", "share"], ascending=[True, False], kind="stable", ignore_index=True)
    )


def plot_choices(choices: DataFrame[AdChoices]) -> go.Figure:
    """Plot a heat map of the share of each ad (columns) before videos of each category (rows)."""
    shares = choices.pivot_table(index="category", columns="ad_id", values="share", fill_value=0.0).round(4)
    heat_map = go.Heatmap(
        x=shares.columns.tolist(),
        y=shares.index.tolist(),
        z=shares.to_numpy().tolist(),  # lists: Plotly would write arrays as base64, which older readers do not support
        zmin=0,
        zmax=1,
        colorscale="Blues",
        texttemplate="%{z:.0%}",
        colorbar={"tickformat": ".0%"},
    )
    return go.Figure(heat_map).update_layout(
        template="plotly_white",
        title="Share of the ads that the agent shows before videos of each category",
        xaxis={"title": "ad"},
        yaxis={"title": "category of the video", "autorange": "reversed"},
    )


def add_regret(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> DataFrame[AdLearningCurve]:
    """Add the regret relative to the optimal policy, which earns `optimal_revenue` per session."""
    return AdLearningCurve.validate(curve.assign(regret=curve["sessions"] * optimal_revenue - curve["earned"]))


def plot_learning_curve(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> go.Figure:
    """Plot revenue per session and regret against the number of ads shown during training, one line per agent.

    A dotted line marks the revenue per session of the optimal policy.
    """
    figure = make_subplots(cols=2, subplot_titles=["Revenue per session", "Regret"], horizontal_spacing=0.12)
    for number, (agent, rows) in enumerate(curve.groupby("agent", sort=False)):
        line = {"color": COLOURS[number % len(COLOURS)], "width": 2}
        name = LABELS.get(str(agent), str(agent))
        for column, values in enumerate(("revenue_per_session", "regret"), start=1):
            # Lists, because Plotly would write arrays as base64, which older readers of the JSON file do not support.
            heights = [None if pd.isna(value) else round(float(value), 4) for value in rows[values]]
            trace = go.Scatter(x=rows["steps"].tolist(), y=heights, name=name, line=line, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    figure.add_hline(optimal_revenue, line={"dash": "dot", "color": "#666"}, annotation_text="optimum", row=1, col=1)
    figure.update_xaxes(title="ads shown during training")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(
        template="plotly_white",
        title={"text": "Learning curves of the ad agents", "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=980,
        height=440,
        legend={"orientation": "h", "y": -0.2},
    )


def _interval(values: FloatArray, name: str) -> dict[str, float]:
    """Compute the confidence interval of the mean, as a mapping from columns of the report to values."""
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    margin = error * float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return {f"{name}_low": float(values.mean()) - margin, f"{name}_high": float(values.mean()) + margin}


def _simulate_runs(
    model: ViewerModel, policy: AdPolicy, options: AdEvaluationOptions, seed: int
) -> list[SessionTotals]:
    seeds = np.random.SeedSequence(seed).spawn(options.runs)
    with threadpool_limits(1, "blas"):  # faster: the matrices are too small for several threads
        return [simulate(model, policy, options.sessions, np.random.default_rng(run_seed)) for run_seed in seeds]


def _revenues(runs: list[SessionTotals]) -> FloatArray:
    return np.array([run.revenue.mean() for run in runs])
