"""The stage from its tables to its answers, on corpora so small that other stages struggle with them."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.corpus_viewers import AdFeatureOptions
from video_recommender.advertising.deep_q_network import AgentOptions
from video_recommender.advertising.viewer_model import ViewerModel, ViewerOptions
from video_recommender.pipelines.advertising.nodes import (
    AdLogOptions,
    evaluate_logged_ads,
    fit_ad_features,
    log_ad_sessions,
    model_viewers,
    observe_first_ads,
    prepare_ads,
    recommend_ads,
    summarise_advertising,
    train_ad_agent,
)

FEW_STEPS = AgentOptions(steps=2000, sessions=64, batch=64)


def viewers_of(videos: int, categories: list[str | None]) -> ViewerModel:
    """What the nodes before training make of a corpus in which every video is recommended with every other."""
    ids = [f"v/{number}" for number in range(videos)]
    corpus = pd.DataFrame({"video_id": ids, "category": categories, "is_used": True}).astype({"category": "str"})
    predictions = pd.DataFrame({"video_id": ids, "predicted_category": "unknown", "probability": 1.0})
    recommendations = pd.DataFrame(
        [
            (video, rank, other, 0.5)
            for video in ids
            for rank, other in enumerate([other for other in ids if other != video], start=1)
        ],
        columns=["video_id", "rank", "recommended_video_id", "similarity"],
    )
    points = pd.DataFrame(np.random.default_rng(0).normal(size=(videos, 8)), pd.Index(ids, name="video_id"))
    features = fit_ad_features(points, AdFeatureOptions(observed_axes=4))
    ads = prepare_ads(None, corpus, predictions, seed=1)
    return model_viewers(recommendations, points, features, corpus, predictions, ads, ViewerOptions())


@pytest.mark.parametrize(
    "categories", [["cats"], ["cats", "dogs", "cats"], [None, None]], ids=["one video", "three videos", "no category"]
)
def test_a_tiny_corpus_gets_an_agent_ads_and_figures(categories) -> None:
    viewers = viewers_of(len(categories), categories)

    policy, network = train_ad_agent(viewers, FEW_STEPS)[:2]
    log = log_ad_sessions(viewers, AdLogOptions(sessions=200))
    report = evaluate_logged_ads(log, viewers, policy)

    assert recommend_ads(viewers, policy)["video_id"].tolist() == list(viewers.video_ids)
    observations = observe_first_ads(viewers).to_numpy()
    assert np.asarray(network(observations)) == pytest.approx(policy.action_values(observations), abs=1e-3)
    assert set(report["policy"]) == {"deep_q_network", "always_long", "always_short"}


def test_the_log_tries_every_ad_and_shows_the_short_one_of_the_category_most(viewers) -> None:
    log = log_ad_sessions(viewers, AdLogOptions(sessions=2000, exploration=0.3))

    shown = log["ad_id"].value_counts(normalize=True)
    assert set(shown.index) == set(viewers.ads.ad_ids)
    assert shown[[ad for ad in shown.index if ad.endswith("-short")]].sum() == pytest.approx(0.85, abs=0.02)
    assert set(log["propensity"].round(4)) == {0.05, 0.75}


def test_the_same_viewers_give_the_same_agent_whatever_was_built_before() -> None:
    viewers = viewers_of(3, ["cats", "dogs", "cats"])

    (policy, network), (same_policy, same_network) = (train_ad_agent(viewers, FEW_STEPS)[:2] for _ in range(2))

    assert network.to_json() == same_network.to_json()
    observations = observe_first_ads(viewers).to_numpy()
    assert np.array_equal(policy.action_values(observations), same_policy.action_values(observations))


def test_figures_are_named_by_policy_and_videos_but_for_the_agent_on_all() -> None:
    rows = [("deep_q_network", "all", 6.5, 0.99), ("deep_q_network", "unseen", 6.1, 0.95), ("random", "all", 3.1, None)]
    report = pd.DataFrame(rows, columns=["policy", "videos", "revenue_per_session", "share_of_optimum"])
    report = report.assign(share_of_bound=None, watch_rate=0.5, videos_per_session=9.0)

    metrics = summarise_advertising(report[report["videos"] == "all"], report[report["videos"] == "unseen"])

    assert metrics["revenue_per_session"] == 6.5
    assert metrics["share_of_optimum_unseen"] == 0.95
    assert metrics["random_revenue_per_session"] == 3.1
    assert not {"random_share_of_optimum", "share_of_bound"} & metrics.keys()
