"""Training of the agents with the assignment's ads and fixed seeds."""

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.baseline_agents import train_contextual_bandit, train_q_table
from video_recommender.advertising.deep_q_network import AgentOptions, train_deep_q_network
from video_recommender.advertising.environment import SCENARIOS, example_viewers
from video_recommender.advertising.evaluation import (
    EVALUATIONS,
    PARALLEL_SESSIONS,
    AdEvaluationOptions,
    evaluate_policies,
    reference_policies,
)

FEW_STEPS = EVALUATIONS * PARALLEL_SESSIONS  # one evaluation per round
FEW = AgentOptions(steps=FEW_STEPS)
EVALUATION = AdEvaluationOptions(runs=4, sessions=2000)


@pytest.fixture(scope="module")
def annoyed():
    return example_viewers(options=SCENARIOS["annoyance"])


@pytest.fixture(scope="module")
def untrained(viewers):
    return train_deep_q_network(viewers, FEW, seed=0)


def shares(viewers, **policies) -> dict[str, float]:
    report = evaluate_policies(viewers, {**policies, **reference_policies()}, EVALUATION, seed=0)
    return dict(zip(report["policy"], report["share_of_optimum"], strict=True))


def test_the_deep_network_learns_the_best_ads(viewers) -> None:
    trained = train_deep_q_network(viewers, AgentOptions(steps=200_000), seed=0)

    assert shares(viewers, agent=trained.policy)["agent"] > 0.985


def test_the_deep_network_learns_to_avoid_annoyance(annoyed) -> None:
    share = shares(annoyed, agent=train_deep_q_network(annoyed, AgentOptions(steps=300_000), seed=0).policy)

    assert share["agent"] > 0.96
    assert share["agent"] > 1.5 * max(share[name] for name in reference_policies())


@pytest.mark.parametrize("scenario", ["assignment", "annoyance"])
def test_tabular_q_learning_learns_the_best_ads_and_to_avoid_annoyance(scenario) -> None:
    viewers = example_viewers(options=SCENARIOS[scenario])

    trained = train_q_table(viewers, steps=1_000_000, seed=0)

    assert shares(viewers, table=trained.policy)["table"] > 0.98


def test_the_bandit_learns_the_best_ads_but_not_to_avoid_annoyance(viewers, annoyed) -> None:
    bandit, annoying = (train_contextual_bandit(model, 50_000, seed=0).policy for model in (viewers, annoyed))

    assert shares(viewers, bandit=bandit)["bandit"] > 0.97
    assert shares(annoyed, bandit=annoying)["bandit"] < 0.8


@pytest.mark.parametrize(
    "train",
    [
        lambda viewers, seed: train_deep_q_network(viewers, FEW, seed),
        lambda viewers, seed: train_q_table(viewers, FEW_STEPS, seed),
        lambda viewers, seed: train_contextual_bandit(viewers, FEW_STEPS, seed),
    ],
    ids=["deep network", "table", "bandit"],
)
def test_the_same_seed_gives_the_same_agent_and_another_seed_another_agent(train, annoyed) -> None:
    first, again, other = (train(annoyed, seed) for seed in (3, 3, 4))

    assert pickle.dumps(first.policy) == pickle.dumps(again.policy) != pickle.dumps(other.policy)
    assert first.learning_curve.equals(again.learning_curve)


def test_the_policy_equals_the_keras_model(viewers, untrained) -> None:
    observed = viewers.observe(viewers.start_sessions(50, np.random.default_rng(0)))

    values = untrained.policy.action_values(observed)

    assert values.dtype == np.float32
    assert np.asarray(untrained.network(observed)) == pytest.approx(values, abs=1e-4)


def test_values_are_in_units_of_the_reward(viewers, untrained) -> None:
    ads = replace(viewers.ads, reward=10 * viewers.ads.reward)
    with_higher_rewards = train_deep_q_network(replace(viewers, ads=ads), FEW, seed=0)
    observed = viewers.observe(viewers.start_sessions(50, np.random.default_rng(0)))

    assert with_higher_rewards.policy.action_values(observed) == pytest.approx(
        10 * untrained.policy.action_values(observed), abs=1e-3
    )


def test_training_with_zero_rewards_gives_finite_values(viewers) -> None:
    ads = replace(viewers.ads, reward=np.zeros(6))

    policy = train_deep_q_network(replace(viewers, ads=ads), FEW, seed=0).policy

    assert np.isfinite(policy.action_values(viewers.observe(viewers.start_sessions(5, np.random.default_rng(0))))).all()


def test_the_learning_curve_counts_all_ads_shown(untrained) -> None:
    curve = untrained.learning_curve

    assert curve["steps"].iloc[-1] == FEW_STEPS
    assert curve["steps"].is_monotonic_increasing
    assert curve["earned"].is_monotonic_increasing
    assert len(curve) == EVALUATIONS


def test_a_pickled_policy_needs_no_tensorflow(viewers, untrained, tmp_path) -> None:
    stored = tmp_path / "stored.pickle"
    stored.write_bytes(pickle.dumps((untrained.policy, viewers)))
    code = f"""
import pickle, sys
import numpy as np
policy, viewers = pickle.load(open({str(stored)!r}, "rb"))
sessions = viewers.start_sessions(5, np.random.default_rng(0))
assert policy.action_probabilities(viewers, sessions).shape == (5, 6)
assert not {{"tensorflow", "keras"}} & sys.modules.keys()
"""

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "train",
    [
        lambda viewers, callback: train_deep_q_network(viewers, FEW, 0, callback),
        lambda viewers, callback: train_q_table(viewers, FEW_STEPS, 0, callback),
        lambda viewers, callback: train_contextual_bandit(viewers, FEW_STEPS, 0, callback),
    ],
    ids=["deep_q_network", "q_table", "lin_ucb"],
)
def test_the_callback_gets_the_learning_curve_after_each_evaluation(viewers, train) -> None:
    curves = []

    trained = train(viewers, curves.append)

    assert [len(curve) for curve in curves] == list(range(1, len(trained.learning_curve) + 1))
    pd.testing.assert_frame_equal(curves[-1], trained.learning_curve)
