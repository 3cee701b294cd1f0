"""What the agents learn, on the example of the assignment; seeds are fixed, so that nothing here depends on chance."""

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.contextual_bandit import BanditOptions, train_contextual_bandit
from video_recommender.advertising.deep_q_network import AgentOptions, train_deep_q_network
from video_recommender.advertising.evaluation import (
    AdEvaluationOptions,
    evaluate_policies,
    reference_policies,
)
from video_recommender.advertising.example_viewers import example_viewers
from video_recommender.advertising.scenarios import SCENARIOS
from video_recommender.advertising.tabular_q_learning import TableOptions, train_q_table

FEW = AgentOptions(steps=4_000, sessions=64, batch=64)
EVALUATION = AdEvaluationOptions(runs=4, sessions=2000, bound_sessions=100)


@pytest.fixture(scope="module")
def annoyed():
    return example_viewers(options=SCENARIOS["annoyance"])


@pytest.fixture(scope="module")
def untrained(viewers):
    return train_deep_q_network(viewers, FEW)


def shares(viewers, **policies) -> dict[str, float]:
    report = evaluate_policies(viewers, {**policies, **reference_policies()}, EVALUATION)
    return dict(zip(report["policy"], report["share_of_optimum"], strict=True))


def test_the_deep_network_learns_the_best_ads(viewers) -> None:
    trained = train_deep_q_network(viewers, AgentOptions(steps=200_000))

    assert shares(viewers, agent=trained.policy)["agent"] > 0.985


def test_the_deep_network_learns_not_to_annoy(annoyed) -> None:
    share = shares(annoyed, agent=train_deep_q_network(annoyed, AgentOptions(steps=300_000)).policy)

    assert share["agent"] > 0.96
    assert share["agent"] > 1.5 * max(share[name] for name in reference_policies())


@pytest.mark.parametrize("scenario", ["assignment", "annoyance"])
def test_the_table_learns_the_best_ads_and_not_to_annoy(scenario) -> None:
    viewers = example_viewers(options=SCENARIOS[scenario])

    learnt = train_q_table(viewers, TableOptions(steps=1_000_000))

    assert shares(viewers, table=learnt.policy)["table"] > 0.98


def test_the_bandit_learns_the_best_ads_but_not_that_they_annoy(viewers, annoyed) -> None:
    options = BanditOptions(steps=50_000)

    assert shares(viewers, bandit=train_contextual_bandit(viewers, options).policy)["bandit"] > 0.97
    assert shares(annoyed, bandit=train_contextual_bandit(annoyed, options).policy)["bandit"] < 0.8


@pytest.mark.parametrize(
    "train",
    [
        lambda viewers, seed: train_deep_q_network(viewers, FEW.model_copy(update={"seed": seed})),
        lambda viewers, seed: train_q_table(viewers, TableOptions(steps=4000, seed=seed)),
        lambda viewers, seed: train_contextual_bandit(viewers, BanditOptions(steps=4000, seed=seed)),
    ],
    ids=["deep network", "table", "bandit"],
)
def test_the_same_seed_gives_the_same_agent_and_another_one_another(train, annoyed) -> None:
    first, again, other = (train(annoyed, seed) for seed in (3, 3, 4))

    assert pickle.dumps(first.policy) == pickle.dumps(again.policy) != pickle.dumps(other.policy)
    assert first.learning_curve.equals(again.learning_curve)


def test_the_policy_says_what_the_keras_model_says(viewers, untrained) -> None:
    observed = viewers.observe(viewers.start_sessions(50, np.random.default_rng(0)))

    values = untrained.policy.action_values(observed)

    assert values.dtype == np.float32
    assert np.asarray(untrained.network(observed)) == pytest.approx(values, abs=1e-4)


def test_values_are_in_units_of_the_reward(viewers, untrained) -> None:
    ads = replace(viewers.ads, reward=10 * viewers.ads.reward)
    dearer = train_deep_q_network(replace(viewers, ads=ads), FEW)
    observed = viewers.observe(viewers.start_sessions(50, np.random.default_rng(0)))

    assert dearer.policy.action_values(observed) == pytest.approx(
        10 * untrained.policy.action_values(observed), abs=1e-3
    )


def test_an_agent_cannot_learn_from_rewards_that_are_all_zero_but_learns_something(viewers) -> None:
    ads = replace(viewers.ads, reward=np.zeros(6))

    policy = train_deep_q_network(replace(viewers, ads=ads), FEW).policy

    assert np.isfinite(policy.action_values(viewers.observe(viewers.start_sessions(5, np.random.default_rng(0))))).all()


def test_the_learning_curve_counts_every_ad(untrained) -> None:
    curve = untrained.learning_curve

    assert curve["steps"].iloc[-1] == 63 * 64  # 4,000 steps in whole rounds of 64 sessions
    assert curve["steps"].is_monotonic_increasing
    assert curve["earned"].is_monotonic_increasing
    assert len(curve) == 20


def test_a_stored_policy_chooses_ads_without_tensorflow(viewers, untrained, tmp_path) -> None:
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


def test_a_memory_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="replay_size must be at least the number of sessions, 512"):
        AgentOptions(replay_size=100)


@pytest.mark.parametrize(
    "train",
    [
        lambda viewers, watcher: train_deep_q_network(viewers, FEW, watcher),
        lambda viewers, watcher: train_q_table(viewers, TableOptions(steps=4000), watcher),
        lambda viewers, watcher: train_contextual_bandit(viewers, BanditOptions(steps=4000), watcher),
    ],
    ids=["deep_q_network", "q_table", "lin_ucb"],
)
def test_whoever_watches_an_agent_is_told_its_curve_while_it_grows(viewers, train) -> None:
    told = []

    learnt = train(viewers, told.append)

    assert [len(curve) for curve in told] == list(range(1, len(learnt.learning_curve) + 1))
    pd.testing.assert_frame_equal(told[-1], learnt.learning_curve)
