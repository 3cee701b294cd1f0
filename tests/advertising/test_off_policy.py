"""Off-policy estimates, compared with the simulated revenue of the policies.

Statistical tests use fixed seeds; each states the probability of failing with another one. benchmarks/off_policy.py
measures the coverage of the intervals more precisely.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from pandera.typing import DataFrame

from video_recommender.advertising.environment import SCENARIOS, example_viewers
from video_recommender.advertising.off_policy import (
    LoggedSteps,
    aggregate_states,
    estimate_value,
    evaluate_from_log,
    solve_chain,
)
from video_recommender.advertising.policies import (
    AdPolicy,
    EpsilonMixedPolicy,
    KindPolicy,
    MatchedGreedyPolicy,
    RandomPolicy,
)
from video_recommender.advertising.simulation import indices_of, log_sessions, replay_sessions, simulate
from video_recommender.advertising.viewers import FloatArray, Sessions, ViewerModel
from video_recommender.schemas import OffPolicyReport

LOGGED = EpsilonMixedPolicy(KindPolicy("short"), 0.5)
MORE_RANDOM = EpsilonMixedPolicy(KindPolicy("short"), 0.8)
LOGS = 30
MIN_COVERING = 23
"""Fewer than 23 of 30 intervals with 95 % coverage cover the truth with a probability of 0.0001."""


@dataclass(frozen=True, eq=False)
class Case:
    """A log as arrays, and the action probabilities of a policy."""

    steps: LoggedSteps
    target: FloatArray


def case_of(model: ViewerModel, policy: AdPolicy, sessions: int, seed: int, logged: AdPolicy = LOGGED) -> Case:
    log = log_sessions(model, logged, sessions, np.random.default_rng(seed))
    before = replay_sessions(log, model)
    steps = LoggedSteps(
        log["session"].to_numpy(),
        indices_of(log["ad_id"], model.ads.ad_ids),
        log["propensity"].to_numpy(),
        log["reward"].to_numpy(),
        model.observe(before),
    )
    return Case(steps, policy.action_probabilities(model, before))


def report(case: Case) -> DataFrame[OffPolicyReport]:
    folds = aggregate_states(case.steps, case.target.shape[1])
    return estimate_value(case.steps, folds, case.target, "target").set_index(["estimator", "consequences"])


def true_value(model: ViewerModel, policy: AdPolicy) -> float:
    return float(simulate(model, policy, 100_000, np.random.default_rng(99)).revenue.mean())


@pytest.fixture(scope="module")
def annoyed() -> ViewerModel:
    return example_viewers(options=SCENARIOS["annoyance"])


@pytest.fixture(scope="module")
def many_estimates(annoyed: ViewerModel) -> pd.DataFrame:
    """Error of each estimate, and whether its interval covers the truth, in many logs of annoyed viewers."""
    truth = true_value(annoyed, MORE_RANDOM)
    reports = pd.concat(report(case_of(annoyed, MORE_RANDOM, 500, seed)) for seed in range(LOGS))
    return reports.assign(
        off=reports["value"] - truth, holds=(reports["value_low"] <= truth) & (truth <= reports["value_high"])
    )


@pytest.mark.parametrize(
    "estimate",
    [("ips", "session"), ("snips", "session"), ("doubly_robust", "session"), ("doubly_robust", "state")],
    ids=" ".join,
)
def test_intervals_cover_the_revenue_if_ads_annoy(many_estimates: pd.DataFrame, estimate: tuple[str, str]) -> None:
    assert many_estimates.loc[estimate, "holds"].sum() >= MIN_COVERING


def test_ignoring_consequences_is_biased_if_ads_annoy(many_estimates: pd.DataFrame) -> None:
    off = many_estimates.loc[[("doubly_robust", "none")], "off"]

    assert abs(off.mean()) > 5 * off.std() / np.sqrt(LOGS)  # by chance with a probability of 0.00001
    assert not many_estimates.loc[("doubly_robust", "none"), "holds"].all()


def test_density_ratios_of_states_reduce_the_variance(many_estimates: pd.DataFrame) -> None:
    spread = many_estimates.groupby(level=[0, 1])["off"].std()

    # Equal ones would come so far apart with a probability of 0.001.
    assert spread["doubly_robust", "state"] < 0.55 * spread["ips", "session"]


def test_without_annoyance_weighting_steps_independently_is_unbiased(viewers: ViewerModel) -> None:
    policy = MatchedGreedyPolicy()
    truth = true_value(viewers, policy)
    estimates = report(case_of(viewers, policy, 3000, seed=1, logged=RandomPolicy()))

    for estimator in ("ips", "snips", "doubly_robust"):
        row = estimates.loc[(estimator, "none")]
        assert row["is_reliable"]
        # 2 half widths are 3.9 standard errors: all three hold but for a probability of 0.0003
        assert abs(row["value"] - truth) < row["value_high"] - row["value_low"]
    assert estimates.loc[("ips", "none"), "gain_low"] > 0, "the log does not show that the policy is better"


def test_the_estimate_of_the_logged_policy_is_its_logged_revenue(viewers: ViewerModel) -> None:
    case = case_of(viewers, LOGGED, 200, seed=2)
    earned = case.steps.sum_by_session(case.steps.reward).mean()

    exact = report(case).drop(index="doubly_robust", level="estimator")

    assert exact["value"].to_numpy() == pytest.approx(earned)
    assert exact[["gain_low", "gain_high"]].to_numpy() == pytest.approx(0, abs=1e-9)
    assert exact["effective_sessions"].to_numpy() == pytest.approx(200)


def test_doubly_robust_estimates_tolerate_an_uninformative_chain(annoyed: ViewerModel) -> None:
    case = case_of(annoyed, MORE_RANDOM, 3000, seed=3)
    blind = replace(case.steps, observations=np.zeros((len(case.steps.ads), 1), np.float32))

    row = report(Case(blind, case.target)).loc[("doubly_robust", "session")]

    # 3.9 standard errors: fails with a probability of 0.0001
    assert abs(row["value"] - true_value(annoyed, MORE_RANDOM)) < row["value_high"] - row["value_low"]


def test_doubly_robust_estimates_tolerate_wrong_propensities_if_the_chain_is_right(viewers: ViewerModel) -> None:
    policy = MatchedGreedyPolicy()
    case = case_of(viewers, policy, 3000, seed=4)
    wrong = replace(case.steps, propensity=np.full(len(case.steps.ads), 1 / 6))
    truth = true_value(viewers, policy)

    values = report(Case(wrong, case.target))["value"]

    assert abs(values["ips", "none"] / truth - 1) > 0.2
    # The standard error is below 2 %: fails with a probability of less than 0.001.
    assert values["doubly_robust", "none"] == pytest.approx(truth, rel=0.07)


def test_the_chain_solves_a_session_that_is_computed_by_hand() -> None:
    """The first ad earns 1 and the session continues, the second earns 2 and it ends."""
    sessions = 4000
    steps = LoggedSteps(
        session=np.repeat(np.arange(sessions), 2),
        ads=np.tile([0, 1], sessions),
        propensity=np.full(2 * sessions, 0.5),
        reward=np.tile([1.0, 2.0], sessions),
        observations=np.tile(np.array([[0], [1]], np.float32), (sessions, 1)),
    )
    target = np.tile([[1.0, 0.0], [0.0, 1.0]], (sessions, 1))

    chain = solve_chain(steps, aggregate_states(steps, 2), target)

    assert steps.at_logged_ads(chain.reward)[:2] == pytest.approx([1, 2], rel=0.01)
    assert steps.at_logged_ads(chain.value)[:2] == pytest.approx([3, 2], rel=0.01)
    assert chain.density_ratio[:2] == pytest.approx([1, 1], rel=0.01)
    assert chain.imbalance == pytest.approx(0, abs=0.01)


def test_the_chain_stays_bounded_with_a_small_log(annoyed: ViewerModel) -> None:
    case = case_of(annoyed, KindPolicy("long"), 60, seed=5, logged=EpsilonMixedPolicy(KindPolicy("short"), 0.05))

    chain = solve_chain(case.steps, aggregate_states(case.steps, 6), case.target)

    assert (chain.density_ratio >= 0).all()
    assert chain.value.min() >= 0
    assert chain.value.max() < 3 * annoyed.options.max_videos  # the best ad earns 3, in every step


def test_an_unreliable_estimate_is_logged_as_a_warning(viewers: ViewerModel, caplog: pytest.LogCaptureFixture) -> None:
    log = log_sessions(viewers, EpsilonMixedPolicy(KindPolicy("short"), 0.1), 300, np.random.default_rng(6))

    with caplog.at_level(logging.WARNING):
        estimates = evaluate_from_log(log, viewers, {"long ads": KindPolicy("long")})

    assert not estimates["is_reliable"].any()
    assert "The log is too small to evaluate long ads with consequences `session`" in caplog.text


def test_a_policy_that_reaches_states_without_log_data_is_logged_as_a_warning(
    annoyed: ViewerModel, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has few long ads in a row, so it cannot show how fast these drive viewers away."""
    log = log_sessions(annoyed, EpsilonMixedPolicy(KindPolicy("short"), 0.3), 3000, np.random.default_rng(10))

    with caplog.at_level(logging.WARNING):
        evaluate_from_log(log, annoyed, {"long ads": KindPolicy("long"), "more random": MORE_RANDOM})

    warnings = [line for line in caplog.messages if "reaches states that the log hardly covers" in line]
    assert len(warnings) == 1
    assert "evaluate long ads with consequences `state`" in warnings[0]


def test_several_policies_are_evaluated_from_a_log_in_any_order(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, LOGGED, 100, np.random.default_rng(7))
    policies = {"long ads": KindPolicy("long"), "random": RandomPolicy()}

    estimates = evaluate_from_log(log, viewers, policies)

    assert estimates.groupby("policy").size().to_dict() == {"random": 7, "long ads": 7}
    assert estimates.equals(evaluate_from_log(log.sample(frac=1, random_state=0), viewers, policies))


@dataclass(frozen=True)
class OtherAdsPolicy:
    """Shows the last ad, which is not in the log."""

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        return np.tile(np.eye(len(model.ads))[-1], (len(sessions), 1))


def test_a_policy_of_ads_that_were_never_shown_has_no_value(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, LOGGED, 100, np.random.default_rng(8))
    without = log[~log["session"].isin(log.loc[log["ad_id"] == viewers.ads.ad_ids[-1], "session"])]

    estimates = evaluate_from_log(without, viewers, {"other": OtherAdsPolicy()}).set_index("estimator")

    assert estimates.loc["snips", "value"].isna().all()
    assert (estimates["effective_sessions"].loc[["ips", "snips"]] == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propensity": np.zeros(20)}, "propensity"),
        ({"session": np.repeat(np.arange(10), 2)[::-1]}, "out of order"),
        ({"session": np.zeros(20, np.int64)}, "1 session"),
    ],
)
def test_an_invalid_log_is_rejected(change: dict, message: str) -> None:
    valid = {
        "session": np.repeat(np.arange(10), 2),
        "ads": np.zeros(20, np.int64),
        "propensity": np.ones(20),
        "reward": np.ones(20),
        "observations": np.zeros((20, 1), np.float32),
    }

    with pytest.raises(ValueError, match=message):
        LoggedSteps(**{**valid, **change})


def test_action_probabilities_that_do_not_fit_the_log_are_rejected(viewers: ViewerModel) -> None:
    case = case_of(viewers, RandomPolicy(), 20, seed=9)

    with pytest.raises(ValueError, match="Policy target must return one row"):
        report(Case(case.steps, case.target[:-1]))
