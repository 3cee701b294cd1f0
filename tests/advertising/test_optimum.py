"""The optimum and its bounds, compared with enumeration and simulation."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import sem

from video_recommender.advertising.ads import AdInventory, generate_ads
from video_recommender.advertising.environment import example_viewers
from video_recommender.advertising.optimum import OptimalPolicy, bracket_optimum
from video_recommender.advertising.policies import RandomPolicy
from video_recommender.advertising.simulation import simulate
from video_recommender.advertising.viewers import ABSENT, ViewerModel, ViewerOptions


def six_videos() -> ViewerModel:
    """Return viewers of so few videos that all histories of a session can be enumerated."""
    options = ViewerOptions(max_videos=5, annoyance_long=0.4, annoyance_repeat=0.4)
    ads = AdInventory.from_table(generate_ads(["cats", "dogs"], seed=3))
    model = example_viewers(ads, options, videos_per_category=3)
    return replace(model, similarity=np.random.default_rng(0).uniform(0.1, 1, model.similarity.shape))


def exact_optimum(model: ViewerModel) -> float:
    """Enumerate all histories of a session: visited videos in order, previous ad, streak."""
    earned = model.ads.watch_probability * model.ads.reward
    categories = np.array(model.category_names)[model.video_category]
    stays = (1 - model.options.leave_probability) * (
        1 - model.options.annoyance_long * np.minimum(model.ads.seconds / 60, 1)
    )

    @cache
    def best(visited: tuple[int, ...], last_ad: int, streak: int) -> float:
        video = visited[-1]
        weights = {
            neighbour: weight
            for neighbour, weight in zip(model.neighbours[video], model.similarity[video], strict=True)
            if neighbour not in visited
        }
        choices = []
        for ad, category in enumerate(model.ads.categories):
            shown = streak + 1 if ad == last_ad else 1
            later = 0.0
            if len(visited) < model.options.max_videos and weights:
                later = sum(w * best((*visited, n), ad, shown) for n, w in weights.items()) / sum(weights.values())
            matched = 1 if category == categories[video] else model.options.mismatch
            choices.append(
                matched * earned[ad] + stays[ad] * (1 - model.options.annoyance_repeat) ** (shown - 1) * later
            )
        return max(choices)

    return float(np.mean([best((video,), ABSENT, 0) for video in range(len(model.video_ids))]))


def test_the_optimal_ads_equal_those_computed_by_hand(viewers) -> None:
    sessions = viewers.start_sessions(3, np.random.default_rng(0), np.array([0, 30, 60]))
    categories = [viewers.category_names[viewers.video_category[video]] for video in (0, 30, 60)]

    chosen = OptimalPolicy.solve(viewers).action_probabilities(viewers, sessions).argmax(axis=1)

    best = dict(zip(categories, (viewers.ads.ad_ids[ad] for ad in chosen), strict=True))
    assert best["cats"] == "cats-long"  # 0.3 x 3 = 0.9 against 0.7
    assert best["concerts"] == "concerts-long"  # 0.5 x 2 = 1.0 against 0.9
    assert best["car races"] in {"car-races-long", "car-races-short"}  # 0.8 both


def test_without_annoyance_a_session_earns_the_best_ad_of_each_video(viewers) -> None:
    staying = replace(viewers, options=ViewerOptions(leave_probability=0.0, max_videos=1))

    lower, upper = bracket_optimum(staying, OptimalPolicy.solve(staying), 30_000, np.random.default_rng(0))

    assert lower.tolist() == upper.tolist()
    assert lower.mean() == pytest.approx((0.9 + 0.8 + 1.0) / 3, abs=5 * sem(lower))


def test_the_bounds_enclose_the_exact_optimum_within_a_thousandth() -> None:
    """5 standard errors are exceeded once in 1.7 million seeds."""
    model = six_videos()
    exact = exact_optimum(model)

    lower, upper = bracket_optimum(model, OptimalPolicy.solve(model), 4000, np.random.default_rng(0))

    assert lower.mean() - 5 * sem(lower) <= exact <= upper.mean() + 5 * sem(upper)
    assert 0 <= upper.mean() - lower.mean() < 0.001 * exact
    assert sem(upper) < 0.01 * exact


def test_simulated_revenue_agrees_with_the_bounds_in_every_scenario(any_viewers) -> None:
    """Two estimates of one value: 4.5 standard errors are exceeded once in 150,000 seeds."""
    policy = OptimalPolicy.solve(any_viewers)
    lower, upper = bracket_optimum(any_viewers, policy, 2000, np.random.default_rng(0))
    revenue = simulate(any_viewers, policy, 20_000, np.random.default_rng(1)).revenue

    assert abs(revenue.mean() - lower.mean()) < 4.5 * np.hypot(sem(lower), sem(revenue))
    assert upper.mean() - lower.mean() < 0.001 * lower.mean()


def test_the_optimum_earns_more_than_the_random_policy_in_every_scenario(any_viewers) -> None:
    best = simulate(any_viewers, OptimalPolicy.solve(any_viewers), 5000, np.random.default_rng(0)).revenue.mean()
    random = simulate(any_viewers, RandomPolicy(), 5000, np.random.default_rng(0)).revenue.mean()

    assert best > 1.2 * random


def test_planning_ahead_beats_the_highest_immediate_reward_if_ads_annoy() -> None:
    annoyed = example_viewers(options=ViewerOptions(annoyance_long=0.2, annoyance_repeat=0.3))
    now_only = OptimalPolicy(np.empty(0))

    ahead, _ = bracket_optimum(annoyed, OptimalPolicy.solve(annoyed), 2000, np.random.default_rng(0))
    now = simulate(annoyed, now_only, 20_000, np.random.default_rng(0)).revenue

    assert ahead.mean() > now.mean() + 5 * sem(now)


def test_a_policy_that_knows_the_tastes_earns_more_than_one_that_does_not() -> None:
    with_tastes = example_viewers(options=ViewerOptions(tastes=True))

    class Blind:
        def action_probabilities(self, model, sessions):
            return OptimalPolicy(np.empty(0)).action_probabilities(
                model, replace(sessions, taste=np.full(len(sessions), ABSENT))
            )

    knowing = simulate(with_tastes, OptimalPolicy.solve(with_tastes), 10_000, np.random.default_rng(0)).revenue.mean()
    blind = simulate(with_tastes, Blind(), 10_000, np.random.default_rng(0)).revenue.mean()

    assert knowing > 1.05 * blind
