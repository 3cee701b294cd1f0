"""Simple policies, and how ads are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from video_recommender.advertising.policies import (
    EpsilonMixedPolicy,
    KindPolicy,
    MatchedGreedyPolicy,
    RandomPolicy,
    draw_ads,
)


@pytest.fixture
def sessions(viewers):
    return viewers.start_sessions(300, np.random.default_rng(0))


def chosen_by_category(policy, viewers, sessions) -> dict[str, str]:
    ads = policy.action_probabilities(viewers, sessions).argmax(axis=1)
    categories = viewers.video_category[sessions.video]
    return {viewers.category_names[kind]: viewers.ads.ad_ids[ad] for kind, ad in zip(categories, ads, strict=True)}


@pytest.mark.parametrize(
    "policy",
    [RandomPolicy(), KindPolicy("long"), MatchedGreedyPolicy(), EpsilonMixedPolicy(KindPolicy("short"), 0.3)],
    ids=lambda policy: type(policy).__name__,
)
def test_the_probabilities_of_all_ads_sum_to_one(policy, viewers, sessions) -> None:
    probabilities = policy.action_probabilities(viewers, sessions)

    assert probabilities.shape == (300, 6)
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_the_short_ad_of_the_videos_category_is_shown(viewers, sessions) -> None:
    assert chosen_by_category(KindPolicy("short"), viewers, sessions) == {
        "car races": "car-races-short",
        "cats": "cats-short",
        "concerts": "concerts-short",
    }


def test_the_ad_with_the_highest_expected_reward_is_shown(viewers, sessions) -> None:
    # 0.3 * 3 > 0.7 * 1 and 0.5 * 2 > 0.9 * 1; a tie before car races, 0.4 * 2 = 0.8 * 1: the first ad
    assert chosen_by_category(MatchedGreedyPolicy(), viewers, sessions) == {
        "car races": "car-races-long",
        "cats": "cats-long",
        "concerts": "concerts-long",
    }


def test_a_mixed_policy_shows_every_ad_with_positive_probability(viewers, sessions) -> None:
    probabilities = EpsilonMixedPolicy(KindPolicy("long"), 0.3).action_probabilities(viewers, sessions)

    assert np.unique(probabilities.round(12)).tolist() == pytest.approx([0.05, 0.75])


def test_ads_are_drawn_with_their_probabilities() -> None:
    probabilities = np.tile([0.0, 0.2, 0.5, 0.3], (20_000, 1))

    drawn = np.bincount(draw_ads(probabilities, np.random.default_rng(0)), minlength=4) / 20_000

    assert drawn[0] == 0
    assert drawn == pytest.approx(probabilities[0], abs=0.018)  # 5 standard deviations: wrong once in a million


def test_an_ad_with_probability_1_is_always_drawn() -> None:
    probabilities = np.eye(7)[np.repeat(np.arange(7), 100)]

    assert draw_ads(probabilities, np.random.default_rng(0)).tolist() == np.repeat(np.arange(7), 100).tolist()


def test_kinds_do_not_depend_on_the_order_of_the_ads(viewers, sessions) -> None:
    ads = viewers.ads
    swapped = replace(ads, ad_ids=ads.ad_ids[::-1], categories=ads.categories[::-1], kinds=ads.kinds[::-1])

    chosen = chosen_by_category(KindPolicy("long"), replace(viewers, ads=swapped), sessions)

    assert chosen == {"car races": "car-races-long", "cats": "cats-long", "concerts": "concerts-long"}
