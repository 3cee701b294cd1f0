"""Policies judged from the log of another one, against what they earn when they are tried (simulated).

Statistical tests use fixed seeds; each says how probable it would be to fail with other ones. How often intervals hold
is measured more closely by benchmarks/off_policy.py.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from pandera.typing import DataFrame

from video_recommender.advertising.example_viewers import example_viewers
from video_recommender.advertising.logged_chain import LoggedSteps, grow_cells, solve_chain
from video_recommender.advertising.off_policy import (
    estimate_value,
    evaluate_from_log,
)
from video_recommender.advertising.policies import (
    AdPolicy,
    EpsilonMixedPolicy,
    KindPolicy,
    MatchedGreedyPolicy,
    RandomPolicy,
)
from video_recommender.advertising.scenarios import SCENARIOS
from video_recommender.advertising.session_log import log_sessions, positions_of, replay_sessions
from video_recommender.advertising.simulate import simulate
from video_recommender.advertising.viewer_model import FloatArray, Sessions, ViewerModel
from video_recommender.schemas import OffPolicyReport

LOGGED = EpsilonMixedPolicy(KindPolicy("short"), 0.5)
MORE_CHANCE = EpsilonMixedPolicy(KindPolicy("short"), 0.8)
LOGS = 30
ENOUGH = 23
"""Of 30 intervals that hold in 95 % of cases, fewer than 23 hold with a probability of 0.0001."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A log as arrays, and what a policy would show."""

    steps: LoggedSteps
    target: FloatArray


def judge(model: ViewerModel, policy: AdPolicy, sessions: int, seed: int, logged: AdPolicy = LOGGED) -> Judged:
    log = log_sessions(model, logged, sessions, np.random.default_rng(seed))
    before = replay_sessions(log, model)
    steps = LoggedSteps(
        log["session"].to_numpy(),
        positions_of(log["ad_id"], model.ads.ad_ids),
        log["propensity"].to_numpy(),
        log["reward"].to_numpy(),
        model.observe(before),
    )
    return Judged(steps, policy.action_probabilities(model, before))


def report(judged: Judged) -> DataFrame[OffPolicyReport]:
    folds = grow_cells(judged.steps, judged.target.shape[1])
    return estimate_value(judged.steps, folds, judged.target, "target").set_index(["estimator", "consequences"])


def true_value(model: ViewerModel, policy: AdPolicy) -> float:
    return float(simulate(model, policy, 100_000, np.random.default_rng(99)).revenue.mean())


@pytest.fixture(scope="module")
def annoyed() -> ViewerModel:
    return example_viewers(options=SCENARIOS["annoyance"])


@pytest.fixture(scope="module")
def judged_often(annoyed: ViewerModel) -> pd.DataFrame:
    """How far off each estimate is, and whether its interval holds, in many logs of annoyed viewers."""
    truth = true_value(annoyed, MORE_CHANCE)
    reports = pd.concat(report(judge(annoyed, MORE_CHANCE, 500, seed)) for seed in range(LOGS))
    return reports.assign(
        off=reports["value"] - truth, holds=(reports["value_low"] <= truth) & (truth <= reports["value_high"])
    )


@pytest.mark.parametrize(
    "estimate",
    [("ips", "session"), ("snips", "session"), ("doubly_robust", "session"), ("doubly_robust", "state")],
    ids=" ".join,
)
def test_intervals_hold_what_annoyed_viewers_earn(judged_often: pd.DataFrame, estimate: tuple[str, str]) -> None:
    assert judged_often.loc[estimate, "holds"].sum() >= ENOUGH


def test_to_overlook_consequences_is_wrong_where_ads_annoy(judged_often: pd.DataFrame) -> None:
    off = judged_often.loc[[("doubly_robust", "none")], "off"]

    assert abs(off.mean()) > 5 * off.std() / np.sqrt(LOGS)  # by chance with a probability of 0.00001
    assert not judged_often.loc[("doubly_robust", "none"), "holds"].all()


def test_what_is_known_of_states_makes_estimates_more_exact(judged_often: pd.DataFrame) -> None:
    spread = judged_often.groupby(level=[0, 1])["off"].std()

    # Equal ones would come so far apart with a probability of 0.001.
    assert spread["doubly_robust", "state"] < 0.55 * spread["ips", "session"]


def test_without_consequences_each_step_tells_by_itself(viewers: ViewerModel) -> None:
    policy = MatchedGreedyPolicy()
    truth = true_value(viewers, policy)
    judged = report(judge(viewers, policy, 3000, seed=1, logged=RandomPolicy()))

    for estimator in ("ips", "snips", "doubly_robust"):
        row = judged.loc[(estimator, "none")]
        assert row["is_reliable"]
        # 2 half widths are 3.9 standard errors: all three hold but for a probability of 0.0003
        assert abs(row["value"] - truth) < row["value_high"] - row["value_low"]
    assert judged.loc[("ips", "none"), "gain_low"] > 0, "the log does not tell that the policy is better"


def test_the_policy_in_use_is_worth_what_it_has_earned(viewers: ViewerModel) -> None:
    judged = judge(viewers, LOGGED, 200, seed=2)
    earned = judged.steps.total(judged.steps.reward).mean()

    exact = report(judged).drop(index="doubly_robust", level="estimator")

    assert exact["value"].to_numpy() == pytest.approx(earned)
    assert exact[["gain_low", "gain_high"]].to_numpy() == pytest.approx(0, abs=1e-9)
    assert exact["effective_sessions"].to_numpy() == pytest.approx(200)


def test_doubly_robust_estimates_stand_a_chain_that_knows_nothing(annoyed: ViewerModel) -> None:
    judged = judge(annoyed, MORE_CHANCE, 3000, seed=3)
    blind = replace(judged.steps, observed=np.zeros((len(judged.steps.ads), 1), np.float32))

    row = report(Judged(blind, judged.target)).loc[("doubly_robust", "session")]

    # 3.9 standard errors: fails with a probability of 0.0001
    assert abs(row["value"] - true_value(annoyed, MORE_CHANCE)) < row["value_high"] - row["value_low"]


def test_doubly_robust_estimates_stand_wrong_propensities_where_the_chain_is_right(viewers: ViewerModel) -> None:
    policy = MatchedGreedyPolicy()
    judged = judge(viewers, policy, 3000, seed=4)
    wrong = replace(judged.steps, propensity=np.full(len(judged.steps.ads), 1 / 6))
    truth = true_value(viewers, policy)

    values = report(Judged(wrong, judged.target))["value"]

    assert abs(values["ips", "none"] / truth - 1) > 0.2
    # The standard error is below 2 %: fails with a probability of less than 0.001.
    assert values["doubly_robust", "none"] == pytest.approx(truth, rel=0.07)


def test_the_chain_tells_values_and_visits_of_a_session_known_by_hand() -> None:
    """First ad: 1 is earned and the session goes on. Second ad: 2 are earned and it ends. Others never come."""
    sessions = 4000
    steps = LoggedSteps(
        session=np.repeat(np.arange(sessions), 2),
        ads=np.tile([0, 1], sessions),
        propensity=np.full(2 * sessions, 0.5),
        reward=np.tile([1.0, 2.0], sessions),
        observed=np.tile(np.array([[0], [1]], np.float32), (sessions, 1)),
    )
    target = np.tile([[1.0, 0.0], [0.0, 1.0]], (sessions, 1))

    chain = solve_chain(steps, grow_cells(steps, 2), target)

    assert steps.of_shown(chain.reward)[:2] == pytest.approx([1, 2], rel=0.01)
    assert steps.of_shown(chain.value)[:2] == pytest.approx([3, 2], rel=0.01)
    assert chain.visits[:2] == pytest.approx([1, 1], rel=0.01)
    assert chain.imbalance == pytest.approx(0, abs=0.01)


def test_no_estimate_runs_wild_by_itself_where_the_log_is_poor(annoyed: ViewerModel) -> None:
    judged = judge(annoyed, KindPolicy("long"), 60, seed=5, logged=EpsilonMixedPolicy(KindPolicy("short"), 0.05))

    chain = solve_chain(judged.steps, grow_cells(judged.steps, 6), judged.target)

    assert (chain.visits >= 0).all()
    assert chain.value.min() >= 0
    assert chain.value.max() < 3 * annoyed.options.max_videos  # the best ad earns 3, in every step


def test_a_log_that_tells_little_is_said_to(viewers: ViewerModel, caplog: pytest.LogCaptureFixture) -> None:
    log = log_sessions(viewers, EpsilonMixedPolicy(KindPolicy("short"), 0.1), 300, np.random.default_rng(6))

    with caplog.at_level(logging.WARNING):
        judged = evaluate_from_log(log, viewers, {"long ads": KindPolicy("long")})

    assert not judged["is_reliable"].any()
    assert "The log does not tell what long ads would earn, with consequences `session`" in caplog.text


def test_a_policy_that_goes_where_the_log_has_hardly_been_is_said_to(
    annoyed: ViewerModel, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has few long ads in a row; always to show them drives viewers away sooner than it can tell."""
    log = log_sessions(annoyed, EpsilonMixedPolicy(KindPolicy("short"), 0.3), 3000, np.random.default_rng(10))

    with caplog.at_level(logging.WARNING):
        evaluate_from_log(log, annoyed, {"long ads": KindPolicy("long"), "more chance": MORE_CHANCE})

    strangers = [line for line in caplog.messages if "comes to situations that they hardly know" in line]
    assert len(strangers) == 1
    assert "what long ads would earn, with consequences `state`" in strangers[0]


def test_policies_are_judged_by_name_from_a_log_in_any_order(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, LOGGED, 100, np.random.default_rng(7))
    policies = {"long ads": KindPolicy("long"), "chance": RandomPolicy()}

    judged = evaluate_from_log(log, viewers, policies)

    assert judged.groupby("policy").size().to_dict() == {"chance": 7, "long ads": 7}
    assert judged.equals(evaluate_from_log(log.sample(frac=1, random_state=0), viewers, policies))


@dataclass(frozen=True)
class OtherAdsPolicy:
    """Shows the last ad, which the log has never shown."""

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        return np.tile(np.eye(len(model.ads))[-1], (len(sessions), 1))


def test_what_was_never_shown_has_no_value(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, LOGGED, 100, np.random.default_rng(8))
    without = log[~log["session"].isin(log.loc[log["ad_id"] == viewers.ads.ad_ids[-1], "session"])]

    judged = evaluate_from_log(without, viewers, {"other": OtherAdsPolicy()}).set_index("estimator")

    assert judged.loc["snips", "value"].isna().all()
    assert (judged["effective_sessions"].loc[["ips", "snips"]] == 0).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"propensity": np.zeros(20)}, "propensity"),
        ({"session": np.repeat(np.arange(10), 2)[::-1]}, "out of order"),
        ({"session": np.zeros(20, np.int64)}, "1 session"),
    ],
)
def test_what_cannot_be_judged_by_is_refused(change: dict, complaint: str) -> None:
    whole = {
        "session": np.repeat(np.arange(10), 2),
        "ads": np.zeros(20, np.int64),
        "propensity": np.ones(20),
        "reward": np.ones(20),
        "observed": np.zeros((20, 1), np.float32),
    }

    with pytest.raises(ValueError, match=complaint):
        LoggedSteps(**{**whole, **change})


def test_probabilities_that_do_not_fit_the_log_are_refused(viewers: ViewerModel) -> None:
    judged = judge(viewers, RandomPolicy(), 20, seed=9)

    with pytest.raises(ValueError, match="target would show is not told"):
        report(Judged(judged.steps, judged.target[:-1]))
