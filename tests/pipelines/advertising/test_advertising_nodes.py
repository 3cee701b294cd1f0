"""The nodes of the pipeline `advertising`, on minimal corpora."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.ads import generate_ads
from video_recommender.advertising.deep_q_network import AgentOptions
from video_recommender.advertising.evaluation import AdEvaluationOptions
from video_recommender.advertising.viewers import ViewerModel, ViewerOptions
from video_recommender.pipelines.advertising.nodes import (
    evaluate_ad_policies,
    model_viewers,
    observe_first_ads,
    prepare_ads,
    recommend_ads,
    report_ad_learning,
    summarise_advertising,
    train_ad_agents,
)

FEW_STEPS = AgentOptions(steps=2000)
FEW_SESSIONS = AdEvaluationOptions(runs=2, sessions=50)


def corpus_of(categories: list[str | None]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a corpus with one group per video, and predictions of `unknown` for all videos."""
    ids = [f"v/{number}" for number in range(len(categories))]
    columns = {"video_id": ids, "category": categories, "group": ids, "is_used": True}
    corpus = pd.DataFrame(columns).astype({"category": "str"})
    return corpus, pd.DataFrame({"video_id": ids, "predicted_category": "unknown", "probability": 1.0})


def viewers_of(categories: list[str | None]) -> ViewerModel:
    """Return viewers of a corpus in which every video recommends all others."""
    corpus, predictions = corpus_of(categories)
    ids = corpus["video_id"].tolist()
    recommendations = pd.DataFrame(
        [
            (video, rank, other, 0.5)
            for video in ids
            for rank, other in enumerate([other for other in ids if other != video], start=1)
        ],
        columns=["video_id", "rank", "recommended_video_id", "similarity"],
    )
    points = pd.DataFrame(np.random.default_rng(0).normal(size=(len(ids), 8)), pd.Index(ids, name="video_id"))
    ads = prepare_ads(None, corpus, predictions, seed=1)
    return model_viewers(recommendations, points, corpus, predictions, ads, ViewerOptions(), seed=1)


@pytest.mark.parametrize(
    "categories", [["cats"], ["cats", "dogs", "cats"], [None, None]], ids=["one video", "three videos", "no category"]
)
def test_a_tiny_corpus_gets_agents_ads_and_plots(categories) -> None:
    viewers = viewers_of(categories)

    policy, network, agents = train_ad_agents(viewers, FEW_STEPS, seed=1)
    report = evaluate_ad_policies(viewers, agents, corpus_of(categories)[0], FEW_STEPS, FEW_SESSIONS, seed=1)
    curve, figure = report_ad_learning(agents, report)

    assert recommend_ads(viewers, policy)["video_id"].tolist() == list(viewers.video_ids)
    observations = observe_first_ads(viewers).to_numpy()
    assert np.asarray(network(observations)) == pytest.approx(policy.action_values(observations), abs=1e-3)
    assert set(report["policy"]) >= {"optimum", "random", *agents}
    assert set(report["videos"]) == ({"all", "unseen"} if len(categories) == 3 else {"all"})
    assert set(curve["agent"]) == set(agents)
    assert {trace.name for trace in figure.data} == {"deep Q-network", "tabular Q-learning", "LinUCB"}


def test_training_twice_in_one_process_gives_the_same_agent() -> None:
    viewers = viewers_of(["cats", "dogs", "cats"])

    (policy, network, _), (same_policy, same_network, _) = (train_ad_agents(viewers, FEW_STEPS, 1) for _ in range(2))

    assert network.to_json() == same_network.to_json()
    observations = observe_first_ads(viewers).to_numpy()
    assert np.array_equal(policy.action_values(observations), same_policy.action_values(observations))


def test_without_a_table_ads_are_generated_for_the_categories_of_the_corpus() -> None:
    ads = prepare_ads(None, *corpus_of(["cats", "dogs"]), seed=1)

    assert ads["category"].unique().tolist() == ["cats", "dogs"]


def test_a_table_must_have_ads_for_every_category_of_the_corpus() -> None:
    only_cats = generate_ads(["cats"], seed=0).astype("str")

    with pytest.raises(ValueError, match="no ads for dogs"):
        prepare_ads(only_cats, *corpus_of(["cats", "dogs"]), seed=1)


def test_metrics_are_named_by_policy_and_videos_without_a_prefix_for_the_agent() -> None:
    rows = [("deep_q_network", "all", 6.5, 0.99), ("deep_q_network", "unseen", 6.1, 0.95), ("random", "all", 3.1, None)]
    report = pd.DataFrame(rows, columns=["policy", "videos", "revenue_per_session", "share_of_optimum"])

    metrics = summarise_advertising(report.assign(share_of_bound=None, watch_rate=0.5, videos_per_session=9.0))

    assert metrics["revenue_per_session"] == 6.5
    assert metrics["share_of_optimum_unseen"] == 0.95
    assert metrics["random_revenue_per_session"] == 3.1
    assert not {"random_share_of_optimum", "share_of_bound"} & metrics.keys()
