"""Logs of simulated sessions, and the states that are reconstructed from a log."""

from dataclasses import fields

import numpy as np
import pytest

from video_recommender.advertising.policies import (
    EpsilonMixedPolicy,
    KindPolicy,
    MatchedGreedyPolicy,
    RandomPolicy,
)
from video_recommender.advertising.simulation import log_sessions, replay_sessions, simulate, simulate_steps
from video_recommender.advertising.viewers import ViewerModel

MIXED = EpsilonMixedPolicy(KindPolicy("long"), 0.5)


def test_a_log_has_every_ad_of_every_session(any_viewers: ViewerModel) -> None:
    log = log_sessions(any_viewers, MIXED, 200, np.random.default_rng(1))
    outcomes = simulate(any_viewers, MIXED, 200, np.random.default_rng(1))

    by_session = log.groupby("session")
    assert by_session["reward"].sum().to_numpy() == pytest.approx(outcomes.revenue)
    assert by_session.size().tolist() == outcomes.videos.tolist()
    assert by_session["watched"].sum().tolist() == outcomes.watched.tolist()


def test_the_same_seed_gives_the_same_log(viewers: ViewerModel) -> None:
    once, again = (log_sessions(viewers, MIXED, 50, np.random.default_rng(2)) for _ in range(2))

    assert once.equals(again)


def test_a_propensity_is_the_probability_of_the_shown_ad(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, EpsilonMixedPolicy(MatchedGreedyPolicy(), 0.6), 500, np.random.default_rng(3))

    assert sorted(set(log["propensity"].round(6))) == [0.1, 0.5]  # 0.6 / 6 at random, plus 0.4 for the greedy ad
    # The expectation of 1 / propensity is the number of ads, 6
    odds = 1 / log["propensity"]
    assert odds.mean() == pytest.approx(6, abs=4.5 * odds.std() / np.sqrt(len(log)))


def test_a_policy_that_never_shows_an_ad_cannot_be_logged(viewers: ViewerModel) -> None:
    with pytest.raises(ValueError, match=r"shows ad car-races-long with probability 0.*EpsilonMixedPolicy"):
        log_sessions(viewers, KindPolicy("short"), 10, np.random.default_rng(0))


def test_states_are_reconstructed_from_the_log(any_viewers: ViewerModel) -> None:
    log = log_sessions(any_viewers, MIXED, 60, np.random.default_rng(4))
    trace = list(simulate_steps(any_viewers, MIXED, 60, np.random.default_rng(4)))

    replayed = replay_sessions(log.sample(frac=1, random_state=0), any_viewers)

    sessions = np.concatenate([step.session for step in trace])
    order = np.argsort(sessions, kind="stable")  # the simulation yields all first ads first
    for field in fields(replayed):
        if field.name != "taste":
            before = np.concatenate([getattr(step.before, field.name) for step in trace])[order]
            np.testing.assert_array_equal(getattr(replayed, field.name), before, err_msg=field.name)


def test_reconstructed_states_have_no_taste(any_viewers: ViewerModel) -> None:
    log = log_sessions(any_viewers, RandomPolicy(), 20, np.random.default_rng(5))

    assert (replay_sessions(log, any_viewers).taste == -1).all()


def test_a_log_with_a_missing_step_is_rejected(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, RandomPolicy(), 20, np.random.default_rng(6))
    session = log["session"][log["step"] == 3].iloc[0]

    with pytest.raises(ValueError, match=f"Session {session} of the log has no step 2"):
        replay_sessions(log[(log["session"] != session) | (log["step"] != 2)], viewers)


@pytest.mark.parametrize("column", ["video_id", "ad_id"])
def test_unknown_videos_and_ads_of_a_log_are_named(viewers: ViewerModel, column: str) -> None:
    log = log_sessions(viewers, RandomPolicy(), 20, np.random.default_rng(7))
    log.loc[5, column] = "cats/deleted"

    with pytest.raises(ValueError, match=f"unknown {column} cats/deleted"):
        replay_sessions(log, viewers)


def test_a_session_above_the_maximum_length_is_rejected(viewers: ViewerModel) -> None:
    log = log_sessions(viewers, RandomPolicy(), 20, np.random.default_rng(8))
    longer = log[log["session"] == 1].iloc[[0] * 31].assign(step=range(1, 32))

    with pytest.raises(ValueError, match=r"31 videos.*after 30: increase advertising\.viewer\.max_videos"):
        replay_sessions(longer, viewers)
