"""The ad for a video, and the ranking of all ads."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.optimum import OptimalPolicy
from video_recommender.advertising.policies import (
    QNetworkPolicy,
    can_rank_new_video,
    one_hot,
    rank_ads,
    rank_ads_for_new_video,
)
from video_recommender.advertising.viewers import VideoProjection, ViewerModel, ViewerOptions
from video_recommender.pipelines.advertising.nodes import observe_first_ads, recommend_ads

POINTS = pd.DataFrame([[0.6, 0.8]], columns=["a", "b"])


@pytest.fixture
def corpus_viewers(viewers: ViewerModel) -> ViewerModel:
    """Viewers with three category probabilities and two axes of object space as features."""
    features = np.zeros((len(viewers.video_ids), 5), np.float32)
    return replace(
        viewers, video_features=features, projection=VideoProjection(("a", "b"), np.eye(2, dtype=np.float32))
    )


def policy_with_values(viewers: ViewerModel, values: list[float]) -> QNetworkPolicy:
    """Return an agent that estimates these action values in all states."""
    observed = viewers.observe(viewers.start_sessions(1, np.random.default_rng(0))).shape[1]
    return QNetworkPolicy((np.zeros((observed, len(values)), np.float32),), (np.array(values, np.float32),))


def test_each_video_gets_the_ad_with_the_highest_expected_reward(viewers) -> None:
    table = recommend_ads(viewers, OptimalPolicy.solve(viewers))

    best = {"cats": ("cats-long", 0.9), "concerts": ("concerts-long", 1.0), "car races": ("car-races-long", 0.8)}
    assert table["video_id"].tolist() == list(viewers.video_ids)
    for row in table.itertuples():
        ad, reward = best[row.video_id.split("/")[0]]
        assert (row.ad_id, row.expected_reward) == (ad, pytest.approx(reward))


def test_the_expected_reward_of_an_ad_is_its_mean_over_all_tastes(viewers) -> None:
    with_tastes = replace(viewers, options=ViewerOptions(tastes=True))

    class CatsLong:
        def action_probabilities(self, model, sessions):
            return one_hot(np.full(len(sessions), model.ads.ad_ids.index("cats-long")), len(model.ads))

    table = recommend_ads(with_tastes, CatsLong()).set_index("video_id")["expected_reward"]

    assert table["cats/30"] == pytest.approx(3 * 0.3 * (1.5 + 0.5 + 0.5) / 3)


def test_the_ranking_starts_with_the_recommended_ad_and_is_sorted_by_value(viewers) -> None:
    policy = policy_with_values(viewers, [1, 5, 0, 4, 3, 2])
    recommended = recommend_ads(viewers, policy).set_index("video_id").loc["cats/30"]

    ranked = rank_ads(viewers, policy, "cats/30")

    assert (ranked[0].ad_id, ranked[0].expected_reward) == (recommended["ad_id"], recommended["expected_reward"])
    assert [choice.session_value for choice in ranked] == [5, 4, 3, 2, 1, 0]
    cats_short = next(choice for choice in ranked if choice.ad_id == "cats-short")
    assert (cats_short.category, cats_short.kind, cats_short.seconds, cats_short.reward) == ("cats", "short", 10, 1)
    assert cats_short.watch_probability == pytest.approx(0.7)


def test_a_video_that_is_not_in_the_corpus_is_named(viewers) -> None:
    with pytest.raises(ValueError, match="food/pie has no ad: run `kedro run --pipelines=advertising`"):
        rank_ads(viewers, policy_with_values(viewers, [0] * 6), "food/pie")


def test_a_new_video_gets_ads_by_its_category_probabilities(corpus_viewers) -> None:
    policy = policy_with_values(corpus_viewers, [0, 1, 2, 5, 3, 4])
    categories = {"cats": 0.8, "concerts": 0.1, "unknown to the corpus": 0.1}

    selected, *others = rank_ads_for_new_video(corpus_viewers, policy, POINTS, categories)

    assert selected.ad_id == "cats-short"
    assert selected.watch_probability == pytest.approx(0.8 * 0.7 + 0.1 * 0.7 * 0.5)
    assert selected.expected_reward == pytest.approx(selected.watch_probability * 1)
    assert len(others) == 5


def test_the_agent_observes_category_probabilities_and_projection_of_a_new_video(corpus_viewers) -> None:
    """The agent's action values are the first six observed numbers."""
    weights = np.eye(corpus_viewers.observe(corpus_viewers.start_everywhere()).shape[1], 6, dtype=np.float32)
    policy = QNetworkPolicy((weights,), (np.zeros(6, np.float32),))

    ranked = rank_ads_for_new_video(corpus_viewers, policy, POINTS, {"cats": 0.75, "concerts": 0.25})

    values = {choice.ad_id: choice.session_value for choice in ranked}
    observed = [values[ad] for ad in corpus_viewers.ads.ad_ids]
    assert observed == pytest.approx([0, 0.75, 0.25, 0.06, 0.08, 0])  # car races, cats, concerts; scaled point


def test_points_of_another_object_space_cannot_be_ranked(viewers, corpus_viewers) -> None:
    others = POINTS.rename(columns={"a": "c"})
    policy = policy_with_values(corpus_viewers, [0] * 6)

    assert can_rank_new_video(corpus_viewers, POINTS)
    assert not can_rank_new_video(corpus_viewers, others)
    assert not can_rank_new_video(viewers, POINTS)
    with pytest.raises(ValueError, match="other axes"):
        rank_ads_for_new_video(corpus_viewers, policy, others, {})
    with pytest.raises(ValueError, match="generated corpus"):
        rank_ads_for_new_video(viewers, policy, POINTS, {})


def test_the_table_of_observations_has_a_named_column_per_observed_value(viewers) -> None:
    table = observe_first_ads(viewers)

    sessions = viewers.start_sessions(90, np.random.default_rng(0), np.arange(90))
    assert np.array_equal(table.to_numpy(), viewers.observe(sessions))
    assert table.columns.is_unique
    assert {"feature_1", "position", "in_a_row_cats-long", "shown_cats-long", "watched_cats-long"} <= set(table.columns)
