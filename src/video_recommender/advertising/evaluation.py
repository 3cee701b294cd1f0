"""What policies earn, all judged in the same way: on the same viewers, beside the optimum."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt
from scipy.stats import t as student
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from video_recommender.advertising.optimum import OptimalPolicy, bracket_optimum
from video_recommender.advertising.policies import AdPolicy, KindPolicy, MatchedGreedyPolicy, RandomPolicy
from video_recommender.advertising.simulate import SessionOutcomes, simulate
from video_recommender.advertising.viewer_model import FloatArray, IntArray, ViewerModel
from video_recommender.schemas import AdChoices, AdLearningCurve, AdPolicyReport

OPTIMUM = "optimum"
CONFIDENCE = 0.95
LEAST_SHARE = 0.005
PARTS = 3
"""A third of the videos is put aside to judge agents that have not seen them."""

Learning = Callable[[ViewerModel], Mapping[str, AdPolicy]]
"""Trains agents on viewers, by name."""


class AdEvaluationOptions(BaseModel):
    """How policies are judged (parameters_advertising.yml).

    Attributes:
        runs: how often, each time with a seed of its own.
        sessions: per run.
        bound_sessions: how many sessions are drawn to estimate what nobody can exceed.
        seed: where chance begins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: Annotated[int, Field(ge=2)] = 10
    sessions: Annotated[int, Field(ge=2)] = 5000
    bound_sessions: Annotated[int, Field(ge=2)] = 2000
    seed: NonNegativeInt = 0


@dataclass(frozen=True)
class VideoSplit:
    """Videos to learn from and others to be judged on, which share no group.

    Attributes:
        seen: positions of the videos, int64, ascending.
        unseen: those of the others.
    """

    seen: IntArray
    unseen: IntArray


def reference_policies() -> Mapping[str, AdPolicy]:
    """The simple policies that an agent must beat, by name."""
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
    videos: Literal["all", "unseen"] = "all",
) -> DataFrame[AdPolicyReport]:
    """Tell what policies earn per session, and what share of the optimum that is.

    All policies and the optimum meet the same viewers in the same runs, so that shares are known more exactly than
    revenues. Intervals are Student's, over runs.

    Args:
        model: the viewers.
        policies: by name; `OPTIMUM` is added.
        options: see `AdEvaluationOptions`.
        videos: what to say of the model's videos in the table.

    Returns:
        A row per policy, the best first. Where viewers have tastes, the optimum knows them, which no agent does: it
        is an upper bound then.
    """
    optimal = OptimalPolicy.solve(model)
    bracket = bracket_optimum(model, optimal, options.bound_sessions, np.random.default_rng(options.seed))
    of_bound = bracket.reached / bracket.bound if bracket.bound > 0 else np.nan
    runs = {name: _simulate_runs(model, policy, options) for name, policy in {OPTIMUM: optimal, **policies}.items()}
    best = _revenues(runs[OPTIMUM])
    rows = []
    for name, outcomes in runs.items():
        earned = _revenues(outcomes)
        shares = np.divide(earned, best, out=np.full_like(earned, np.nan), where=best > 0)
        revenue, share = _interval(earned), _interval(shares)
        shown = sum(run.videos.sum() for run in outcomes)
        rows.append(
            {
                "policy": name,
                "videos": videos,
                "runs": options.runs,
                "sessions": options.sessions,
                "revenue_per_session": revenue.mean,
                "revenue_low": revenue.low,
                "revenue_high": revenue.high,
                "share_of_optimum": share.mean,
                "share_low": share.low,
                "share_high": share.high,
                "share_of_bound": share.mean * of_bound,
                "watch_rate": sum(run.watched.sum() for run in outcomes) / shown,
                "videos_per_session": shown / (options.runs * options.sessions),
            }
        )
    report = pd.DataFrame(rows).sort_values("revenue_per_session", ascending=False, kind="stable", ignore_index=True)
    return AdPolicyReport.validate(report)


def evaluate_on_unseen_videos(
    model: ViewerModel, groups: pd.Series, learn: Learning, options: AdEvaluationOptions
) -> DataFrame[AdPolicyReport]:
    """Train agents on two thirds of the videos, and judge them in sessions over the others.

    Args:
        model: the viewers.
        groups: see `split_videos`.
        learn: trains the agents.
        options: see `AdEvaluationOptions`.

    Returns:
        See `evaluate_policies`.
    """
    split = split_videos(model, groups, options.seed)
    policies = learn(model.restricted_to(split.seen))
    return evaluate_policies(model.restricted_to(split.unseen), policies, options, videos="unseen")


def split_videos(model: ViewerModel, groups: pd.Series, seed: int) -> VideoSplit:
    """Put a third of the videos aside, of each category as nearly as the groups permit.

    Args:
        model: the viewers.
        groups: by `video_id`, what must not straddle the split: the group of each video.
        seed: where chance begins.

    Returns:
        See `VideoSplit`.

    Raises:
        ValueError: if there are fewer than three groups.
    """
    group = groups.loc[list(model.video_ids)].to_numpy()
    if len(set(group)) < PARTS:
        raise ValueError(
            f"Agents can be judged on unseen videos if these are of {PARTS} groups or more, not {len(set(group))}"
        )
    parts = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    seen, unseen = next(parts.split(model.video_features, model.video_category, group))
    return VideoSplit(seen, unseen)


def tabulate_choices(model: ViewerModel, policy: AdPolicy, options: AdEvaluationOptions) -> DataFrame[AdChoices]:
    """Tell which ads a policy shows before videos of which category, and what comes of it.

    Args:
        model: the viewers.
        policy: chooses the ads.
        options: see `AdEvaluationOptions`.

    Returns:
        By category, the ad that is shown most often first; ads that make up less than half a percent of what the policy
        shows, and of what the optimum does, are left out.
    """
    shown, watched = _choices(_simulate_runs(model, policy, options))
    best, _ = _choices(_simulate_runs(model, OptimalPolicy.solve(model), options))
    category, ad = np.nonzero(np.maximum(_shares(shown), _shares(best)) >= LEAST_SHARE)
    times = shown[category, ad]
    watch_rate = np.divide(watched[category, ad], times, out=np.full(len(ad), np.nan), where=times > 0)
    choices = pd.DataFrame(
        {
            "category": np.array(model.category_names)[category],
            "ad_id": np.array(model.ads.ad_ids)[ad],
            "share": _shares(shown)[category, ad],
            "optimal_share": _shares(best)[category, ad],
            "watch_rate": watch_rate,
            "revenue_per_showing": watch_rate * model.ads.reward[ad],
        }
    )
    return AdChoices.validate(
        choices.sort_values(["category", "share"], ascending=[True, False], kind="stable", ignore_index=True)
    )


def with_regret(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> DataFrame[AdLearningCurve]:
    """Add how much less was earned while learning than the optimum earns in as many sessions.

    Args:
        curve: how well agents did while they learnt.
        optimal_revenue: what the optimum earns per session.
    """
    return AdLearningCurve.validate(curve.assign(regret=curve["sessions"] * optimal_revenue - curve["earned"]))


@dataclass(frozen=True)
class _Interval:
    mean: float
    low: float
    high: float


def _interval(of_runs: FloatArray) -> _Interval:
    mean, error = float(of_runs.mean()), float(of_runs.std(ddof=1)) / np.sqrt(len(of_runs))
    margin = error * float(student.ppf((1 + CONFIDENCE) / 2, len(of_runs) - 1))
    return _Interval(mean, mean - margin, mean + margin)


def _simulate_runs(model: ViewerModel, policy: AdPolicy, options: AdEvaluationOptions) -> list[SessionOutcomes]:
    seeds = np.random.SeedSequence(options.seed).spawn(options.runs)
    with threadpool_limits(1, "blas"):  # on matrices so small, threads mostly wait for each other
        return [simulate(model, policy, options.sessions, np.random.default_rng(seed)) for seed in seeds]


def _revenues(runs: list[SessionOutcomes]) -> FloatArray:
    return np.array([run.revenue.mean() for run in runs])


def _choices(runs: list[SessionOutcomes]) -> tuple[IntArray, IntArray]:
    """How often each ad was shown and watched before videos of each category, both of shape (categories, ads)."""
    shown = np.sum([run.shown_by_category for run in runs], axis=0)
    watched = np.sum([run.watched_by_category for run in runs], axis=0)
    return shown, watched


def _shares(shown: IntArray) -> FloatArray:
    return np.asarray(shown / np.maximum(shown.sum(axis=1, keepdims=True), 1))
