"""Simulated sessions. Statistics deviate by more than 4.5 standard errors for 1 seed in 150,000."""

from dataclasses import fields

import numpy as np
import pytest

from video_recommender.advertising.policies import KindPolicy, MatchedGreedyPolicy, RandomPolicy
from video_recommender.advertising.simulation import SessionTotals, simulate, simulate_steps


def test_totals_are_the_sum_over_steps(any_viewers) -> None:
    revenue, videos, watched = np.zeros(300), np.zeros(300, np.int64), np.zeros(300, np.int64)
    for step in simulate_steps(any_viewers, RandomPolicy(), 300, np.random.default_rng(0)):
        for row, session in enumerate(step.session):
            revenue[session] += step.result.reward[row]
            videos[session] += 1
            watched[session] += step.result.watched[row]

    totals = simulate(any_viewers, RandomPolicy(), 300, np.random.default_rng(0))

    assert totals.revenue == pytest.approx(revenue)
    assert totals.videos.tolist() == videos.tolist()
    assert totals.watched.tolist() == watched.tolist()
    assert totals.shown_by_category.sum() == videos.sum()
    assert totals.watched_by_category.sum() == watched.sum()


def test_a_session_keeps_its_number_until_it_is_over(viewers) -> None:
    continues = np.arange(200)
    for position, step in enumerate(simulate_steps(viewers, RandomPolicy(), 200, np.random.default_rng(1))):
        assert step.session.tolist() == continues.tolist()
        assert (step.before.position == position).all()
        assert len(step.probabilities) == len(step.ads) == len(continues)
        continues = step.session[~step.result.is_over]
    assert not len(continues)


def test_short_ads_are_watched_as_often_as_the_table_says(viewers) -> None:
    totals = simulate(viewers, KindPolicy("short"), 5000, np.random.default_rng(2))

    for category, name in enumerate(viewers.category_names):
        ad = viewers.ads.ad_ids.index(f"{name.replace(' ', '-')}-short")
        shown, probability = totals.shown_by_category[category, ad], viewers.ads.watch_probability[ad]
        error = np.sqrt(probability * (1 - probability) / shown)
        assert shown == totals.shown_by_category[category].sum()
        assert abs(totals.watched_by_category[category, ad] / shown - probability) < 4.5 * error


def test_sessions_have_the_expected_length(viewers) -> None:
    """At most (1 - 0.9^30) / 0.1 = 9.58 videos on average; fewer if all recommended videos have been seen."""
    videos = simulate(viewers, RandomPolicy(), 20_000, np.random.default_rng(3)).videos

    error = videos.std() / np.sqrt(len(videos))
    assert 9.0 < videos.mean() < (1 - 0.9**30) / 0.1 + 4.5 * error


def test_the_greedy_policy_beats_the_random_one(viewers) -> None:
    greedy = simulate(viewers, MatchedGreedyPolicy(), 2000, np.random.default_rng(4)).revenue.mean()
    random = simulate(viewers, RandomPolicy(), 2000, np.random.default_rng(4)).revenue.mean()

    assert greedy > 1.3 * random


def test_the_same_seed_gives_the_same_totals(any_viewers) -> None:
    first, again, other = (
        simulate(any_viewers, RandomPolicy(), 500, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )

    for field in fields(SessionTotals):
        assert np.array_equal(getattr(first, field.name), getattr(again, field.name))
    assert not np.array_equal(first.revenue, other.revenue)
