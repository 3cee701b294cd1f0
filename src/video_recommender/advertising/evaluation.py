"""Compare policies by simulation: all on the same sessions, relative to the optimum."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import t as student
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.optimum import OptimalPolicy, bracket_optimum
from video_recommender.advertising.policies import AdPolicy, KindPolicy, MatchedGreedyPolicy, RandomPolicy
from video_recommender.advertising.simulation import SessionTotals, simulate
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.schemas import AdChoices, AdPolicyReport

OPTIMUM = "optimum"
CONFIDENCE = 0.95
MIN_CHOICE_SHARE = 0.005
FOLDS = 3
"""One of three folds of the videos is held out to evaluate agents on unseen videos."""

BOUND_SESSIONS_SHARE = 0.4
"""Sessions for the bound, relative to those of a run: its error is smaller, as watching and leaving are not drawn."""

TrainPolicies: TypeAlias = Callable[[ViewerModel], Mapping[str, AdPolicy]]
"""Trains policies on viewers; returns them by name."""


class AdEvaluationOptions(BaseModel):
    """How policies are evaluated (parameters_advertising.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: Annotated[int, Field(ge=2)] = 10
    sessions: Annotated[int, Field(ge=5)] = 5000


def reference_policies() -> Mapping[str, AdPolicy]:
    """Return the simple policies that an agent should beat, by name."""
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
    """Estimate revenue per session and share of the optimum of each policy, in sessions over `videos`.

    All policies and the optimum meet the same viewers in the same runs, so shares are more precise than revenues.
    Intervals are Student's over runs. If viewers have tastes, the optimum knows them and is an upper bound.

    Returns:
        A row per policy and one for `OPTIMUM`, highest revenue first.
    """
    optimal = OptimalPolicy.solve(model)
    bound_sessions = round(BOUND_SESSIONS_SHARE * options.sessions)
    bracket = bracket_optimum(model, optimal, bound_sessions, np.random.default_rng(seed))
    of_bound = bracket.reached / bracket.bound if bracket.bound > 0 else np.nan
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
                "share_of_bound": shares.mean() * of_bound,
                "watch_rate": sum(run.watched.sum() for run in totals) / shown,
                "videos_per_session": shown / (options.runs * options.sessions),
            }
        )
    report = pd.DataFrame(rows).sort_values("revenue_per_session", ascending=False, kind="stable", ignore_index=True)
    return AdPolicyReport.validate(report)


def evaluate_on_unseen_videos(
    model: ViewerModel, groups: pd.Series, train: TrainPolicies, options: AdEvaluationOptions, seed: int
) -> DataFrame[AdPolicyReport]:
    """Train policies on two thirds of the videos and evaluate them in sessions over the others."""
    seen, unseen = split_videos(model, groups, seed)
    policies = train(model.restrict_to(seen))
    return evaluate_policies(model.restrict_to(unseen), policies, options, seed, videos="unseen")


def split_videos(model: ViewerModel, groups: pd.Series, seed: int) -> tuple[IntArray, IntArray]:
    """Return the indices of the training videos, and of the third of the videos that is held out, both ascending.

    Groups are never split across folds, which prevents data leakage; `groups` has the group by `video_id`. Folds are
    stratified by category if a category has enough videos.
    """
    group = groups.loc[list(model.video_ids)].to_numpy()
    if len(set(group)) < FOLDS:
        raise ValueError(
            f"Evaluation on unseen videos needs videos of {FOLDS} groups or more, not {len(set(group))}: add videos"
        )
    is_large_enough = np.bincount(model.video_category).max() >= FOLDS
    strata = model.video_category if is_large_enough else np.zeros_like(model.video_category)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    seen, unseen = next(folds.split(model.video_features, strata, group))
    return seen, unseen


def tabulate_choices(
    model: ViewerModel, policy: AdPolicy, options: AdEvaluationOptions, seed: int
) -> DataFrame[AdChoices]:
    """Tabulate which ads a policy shows before videos of each category, and how often they are watched.

    Ads with a share below 0.5 %, of the policy and of the optimum, are omitted.
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
    """Plot the share of each ad before videos of each category as a heat map: a row per category, a column per ad."""
    shares = choices.pivot_table(index="category", columns="ad_id", values="share", fill_value=0.0).round(4)
    heat_map = go.Heatmap(
        x=shares.columns.tolist(),
        y=shares.index.tolist(),
        z=shares.to_numpy().tolist(),  # lists: plotly would write arrays as base64, which older readers do not support
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


def _interval(values: FloatArray, name: str) -> dict[str, float]:
    """Low and high end of the interval of the mean, as columns of the report."""
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
