"""From the tables of the stages before to viewers, and to the ad for each video."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.ad_selection import choose_first_ad, observe_first, recommend_first_ads
from video_recommender.advertising.ad_table import make_up_ads
from video_recommender.advertising.ads import AdInventory
from video_recommender.advertising.corpus_viewers import (
    AdFeatureOptions,
    VideoProjection,
    believed_categories,
    build_viewers,
    categories_of_videos,
    describe_videos,
)
from video_recommender.advertising.optimum import OptimalPolicy
from video_recommender.advertising.policies import show_only
from video_recommender.advertising.viewer_model import ViewerOptions
from video_recommender.pipelines.advertising.nodes import prepare_ads

VIDEOS = ["cats/1", "cats/2", "dogs/1", "dogs/2", "none/1", "cats/copy"]


def corpus() -> pd.DataFrame:
    categories = ["cats", "cats", "dogs", "dogs", None, "cats"]
    return pd.DataFrame({"video_id": VIDEOS, "category": categories, "is_used": [True] * 5 + [False]})


def predictions() -> pd.DataFrame:
    return pd.DataFrame({"video_id": VIDEOS, "predicted_category": ["dogs", "cats", "dogs", "dogs", "dogs", "cats"]})


def recommendations(*rows: tuple[str, int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["video_id", "rank", "recommended_video_id", "similarity"])


def points(videos: list[str] = VIDEOS, axes: int = 6) -> pd.DataFrame:
    vectors = np.random.default_rng(0).normal(size=(len(videos), axes)).astype(np.float32)
    columns = [f"axis_{number}" for number in range(axes)]
    return pd.DataFrame(vectors, pd.Index(videos, name="video_id"), columns)


def test_a_video_has_its_own_category_or_else_the_predicted_one_and_copies_are_left_out() -> None:
    assert categories_of_videos(corpus(), predictions()).to_dict() == {
        "cats/1": "cats",
        "cats/2": "cats",
        "dogs/1": "dogs",
        "dogs/2": "dogs",
        "none/1": "dogs",
    }


def test_viewers_go_where_the_recommender_says_in_proportion_to_similarity() -> None:
    categories = categories_of_videos(corpus(), predictions())
    lists = recommendations(
        ("cats/1", 1, "cats/2", 0.9), ("cats/1", 2, "dogs/1", 0.3), ("cats/1", 3, "cats/copy", 0.2),
        ("dogs/1", 1, "dogs/2", -0.5), ("cats/copy", 1, "cats/1", 1.0),
    )  # fmt: skip
    ads = AdInventory.from_table(make_up_ads(categories, seed=0))
    model = build_viewers(lists, np.zeros((5, 2), np.float32), categories, ads, ViewerOptions())

    sessions = model.start_sessions(5, np.random.default_rng(0), np.arange(5))
    probability = model.next_video_probability(sessions)

    assert model.video_ids == tuple(categories.index)
    assert [model.category_names[category] for category in model.video_category] == categories.tolist()
    assert dict(zip(model.neighbours[0], probability[0], strict=True)) == pytest.approx({1: 0.75, 2: 0.25, -1: 0})
    assert model.neighbours[2, 0] == 3
    assert probability[2, 0] == 1, "of videos that are all unlike, any comes next"
    assert (probability[[1, 3, 4]] == 0).all()


def test_an_agent_is_told_what_a_classifier_that_has_not_seen_the_video_takes_it_for() -> None:
    rows = [("b/1", "dogs", 0.7), ("a/1", "cats", 1.0), ("c/1", "unknown", 0.4)]
    predicted = pd.DataFrame(rows, columns=["video_id", "predicted_category", "probability"])

    beliefs = believed_categories(predicted, ["a/1", "b/1", "c/1"], ["birds", "cats", "dogs"])

    assert beliefs[:2] == pytest.approx(np.array([[0, 1, 0], [0.15, 0.15, 0.7]]))
    assert len(set(beliefs[2])) == 1


def test_an_agent_is_told_less_loudly_what_a_video_looks_like_than_what_it_is() -> None:
    described = describe_videos(np.array([[0.2, 0.8]]), np.array([[1.0, -1.0]], np.float32))

    assert described.dtype == np.float32
    assert described[0] == pytest.approx([0.2, 0.8, 0.1, -0.1])


def test_the_projection_keeps_what_tells_videos_apart_and_treats_new_ones_alike() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 20))
    table = pd.DataFrame(vectors, pd.Index([f"v/{number}" for number in range(50)], name="video_id"))

    projection = VideoProjection.fit(table, AdFeatureOptions(observed_axes=3))
    projected = projection.project(table)

    assert projected.dtype == np.float32
    assert projected @ projected.T == pytest.approx(vectors @ vectors.T, rel=1e-3, abs=1e-3)
    assert projection.project(table.tail(1)) == pytest.approx(projected[-1:])


@pytest.mark.parametrize("videos", [1, 3])
def test_a_corpus_smaller_than_the_axes_is_described_by_as_many_as_there_are(videos) -> None:
    few = points(VIDEOS[:videos])

    assert VideoProjection.fit(few, AdFeatureOptions()).project(few).shape == (videos, videos)


def test_points_of_another_object_space_are_refused_with_what_to_run() -> None:
    projection = VideoProjection.fit(points(), AdFeatureOptions())
    others = points(axes=5)

    assert not projection.fits(others)
    with pytest.raises(ValueError, match="run feature_engineering, recommendation and advertising again"):
        projection.project(others)


def test_without_a_table_ads_are_made_up_for_the_categories_of_the_corpus() -> None:
    ads = prepare_ads(None, corpus(), predictions(), seed=1)

    assert ads["category"].unique().tolist() == ["cats", "dogs"]


def test_a_table_must_have_ads_for_every_category_of_the_corpus() -> None:
    only_cats = make_up_ads(["cats"], seed=0).astype("str")

    with pytest.raises(ValueError, match="none for dogs"):
        prepare_ads(only_cats, corpus(), predictions(), seed=1)


def test_each_video_gets_the_ad_that_earns_most_before_it(viewers) -> None:
    table = recommend_first_ads(viewers, OptimalPolicy.solve(viewers))

    best = {"cats": ("cats-long", 0.9), "concerts": ("concerts-long", 1.0), "car races": ("car-races-long", 0.8)}
    assert table["video_id"].tolist() == list(viewers.video_ids)
    for row in table.itertuples():
        ad, reward = best[row.video_id.split("/")[0]]
        assert (row.ad_id, row.expected_reward) == (ad, pytest.approx(reward))


def test_an_ad_is_worth_its_mean_over_all_tastes(viewers) -> None:
    with_tastes = replace(viewers, options=ViewerOptions(tastes=True))

    class CatsLong:
        def action_probabilities(self, model, sessions):
            return show_only(np.full(len(sessions), model.ads.ad_ids.index("cats-long")), len(model.ads))

    table = recommend_first_ads(with_tastes, CatsLong()).set_index("video_id")["expected_reward"]

    assert table["cats/30"] == pytest.approx(3 * 0.3 * (1.5 + 0.5 + 0.5) / 3)


class LooksAtFeatures:
    """Shows the fourth ad to whoever comes for a video that looks like 20, and is believed to be of cats mostly."""

    def action_probabilities(self, model, sessions):
        observed = model.observe(sessions)
        is_so = (observed[:, :3].argmax(axis=1) == model.category_names.index("cats")) & (observed[:, 3] == 2)
        return show_only(np.where(is_so, 3, 0), len(model.ads))


def test_a_new_video_gets_the_ad_of_the_policy_and_what_is_believed_of_it(viewers) -> None:
    looks = np.full(4, 20, np.float32)

    chosen = choose_first_ad(viewers, LooksAtFeatures(), looks, {"cats": 0.8, "concerts": 0.1, "never seen": 0.1})

    assert viewers.ads.ad_ids[3] == chosen.ad_id == "cats-short"
    assert (chosen.category, chosen.kind, chosen.seconds) == ("cats", "short", 10)
    assert chosen.watch_probability == pytest.approx(0.8 * 0.7 + 0.1 * 0.7 * 0.5)
    assert chosen.expected_reward == pytest.approx(chosen.watch_probability * 1)


def test_what_is_observed_before_the_first_ad_is_a_table_with_a_name_for_every_number(viewers) -> None:
    table = observe_first(viewers)

    sessions = viewers.start_sessions(90, np.random.default_rng(0), np.arange(90))
    assert np.array_equal(table.to_numpy(), viewers.observe(sessions))
    assert table.columns.is_unique
    assert {"feature_1", "position", "in_a_row_cats-long", "shown_cats-long", "watched_cats-long"} <= set(table.columns)
