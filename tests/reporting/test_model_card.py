"""Confidence intervals of the model card."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.reporting.report import estimate_mean


def test_the_interval_is_wider_where_videos_of_a_group_are_similar() -> None:
    values = pd.Series(np.tile([0.0, 1.0], 50))
    sorted_values = values.sort_values(ignore_index=True)
    groups = pd.Series(np.repeat([f"g{number}" for number in range(10)], 10))

    apart, together = (estimate_mean(ordered, groups, seed=0) for ordered in (values, sorted_values))

    assert apart is not None
    assert together is not None
    assert apart.mean == together.mean == 0.5
    assert apart.high - apart.low == pytest.approx(0)
    assert together.high - together.low > 0.4


def test_intervals_cover_the_true_mean_at_about_the_nominal_rate() -> None:
    """With 95 % coverage, fewer than 176 of 200 intervals cover the mean with a probability of 1/50,000."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        chances = rng.beta(6, 2, size=30)
        values = pd.Series(rng.binomial(1, np.repeat(chances, 5)).astype(float))
        estimate = estimate_mean(values, pd.Series(np.repeat(np.arange(30), 5).astype(str)), seed)
        assert estimate is not None
        covered += estimate.low <= 0.75 <= estimate.high

    assert covered >= 176


def test_one_group_gives_no_estimate() -> None:
    assert estimate_mean(pd.Series([1.0, 0.0]), pd.Series(["g", "g"]), seed=0) is None
