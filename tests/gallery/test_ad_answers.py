"""Why an ad is shown."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.ad_selection import recommend_first_ads
from video_recommender.advertising.corpus_viewers import VideoProjection
from video_recommender.advertising.example_viewers import assignment_ads, example_viewers
from video_recommender.advertising.q_network_policy import QNetworkPolicy
from video_recommender.gallery.ad_answers import explain_ad, explain_new_ad


@pytest.fixture(scope="module")
def viewers():
    return example_viewers(videos_per_category=3)


@pytest.fixture(scope="module")
def policy(viewers) -> QNetworkPolicy:
    """Believes something of every ad, whatever it sees."""
    observed = viewers.observe(viewers.start_sessions(1, np.random.default_rng(0))).shape[1]
    beliefs = np.arange(len(viewers.ads), dtype=np.float32)
    return QNetworkPolicy((np.zeros((observed, len(beliefs)), np.float32),), (beliefs,))


def test_the_chosen_ad_is_told_with_what_the_others_would_bring(viewers, policy) -> None:
    recommended = recommend_first_ads(viewers, policy)
    video_id = viewers.video_ids[0]

    answer = explain_ad(video_id, recommended, assignment_ads(), viewers, policy)

    assert answer.chosen.ad_id == recommended["ad_id"].iloc[0]
    assert answer.chosen.expected_reward == pytest.approx(recommended["expected_reward"].iloc[0])
    assert answer.chosen.session_value == 5.0
    assert [other.session_value for other in answer.others] == [4.0, 3.0, 2.0, 1.0, 0.0]


def test_without_viewers_the_ad_alone_is_told(viewers, policy) -> None:
    recommended = recommend_first_ads(viewers, policy)

    answer = explain_ad(viewers.video_ids[0], recommended, assignment_ads(), None, None)

    assert answer.others == ()
    assert answer.chosen.expected_reward == answer.chosen.watch_probability * answer.chosen.reward


def test_a_video_without_an_ad_has_no_answer(viewers, policy) -> None:
    assert explain_ad("no/video", recommend_first_ads(viewers, policy), assignment_ads(), viewers, policy) is None


def test_a_new_video_is_told_of_by_what_its_category_is_believed_to_be(viewers, policy) -> None:
    axes = viewers.video_features.shape[1] - len(viewers.category_names)  # the agent is told of both
    features = VideoProjection(("a", "b"), np.ones((2, axes), np.float32))
    points = pd.DataFrame([[0.6, 0.8]], columns=["a", "b"])

    answer = explain_new_ad(points, {"cats": 1.0}, features, viewers, policy)
    cats_short = next(ad for ad in (answer.chosen, *answer.others) if ad.ad_id == "cats-short")

    assert answer.chosen.session_value == 5.0
    assert cats_short.watch_probability == pytest.approx(0.7)
    assert len(answer.others) == 5


def test_points_of_another_space_have_no_answer(viewers, policy) -> None:
    features = VideoProjection(("a", "b"), np.ones((2, 4), np.float32))

    assert explain_new_ad(pd.DataFrame([[1.0]], columns=["c"]), {}, features, viewers, policy) is None
