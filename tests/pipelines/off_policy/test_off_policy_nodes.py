"""The nodes of the pipeline `off_policy`."""

import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError

from video_recommender.advertising.environment import example_viewers
from video_recommender.advertising.policies import QNetworkPolicy, RandomPolicy
from video_recommender.advertising.simulation import log_sessions
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.pipelines.off_policy.nodes import OffPolicyOptions, evaluate_logged_ads, prepare_session_log


@pytest.fixture(scope="module")
def viewers() -> ViewerModel:
    return example_viewers(videos_per_category=5)


def test_a_simulated_log_has_all_ads_and_mostly_the_short_ones(viewers) -> None:
    log = prepare_session_log(None, viewers, OffPolicyOptions(sessions=2000, epsilon=0.3), seed=0)

    shown = log["ad_id"].value_counts(normalize=True)
    assert set(shown.index) == set(viewers.ads.ad_ids)
    assert shown[[ad for ad in shown.index if ad.endswith("-short")]].sum() == pytest.approx(0.85, abs=0.02)
    assert set(log["propensity"].round(4)) == {0.05, 0.75}


def test_the_users_log_replaces_the_simulated_one(viewers) -> None:
    own = log_sessions(viewers, RandomPolicy(), 300, np.random.default_rng(0))
    observed = viewers.observe(viewers.start_everywhere()).shape[1]
    agent = QNetworkPolicy((np.zeros((observed, 6), np.float32),), (np.arange(6, dtype=np.float32),))

    log = prepare_session_log(own, viewers, OffPolicyOptions(), seed=0)
    report = evaluate_logged_ads(log, viewers, agent)

    pd.testing.assert_frame_equal(log, own)
    assert set(report["policy"]) == {"deep_q_network", "always_long", "always_short"}
    assert (report["sessions"] == 300).all()


def test_a_log_without_propensities_is_rejected(viewers) -> None:
    own = log_sessions(viewers, RandomPolicy(), 20, np.random.default_rng(0)).drop(columns="propensity")

    with pytest.raises(SchemaError, match="propensity"):
        prepare_session_log(own, viewers, OffPolicyOptions(), seed=0)


def test_without_viewers_the_error_names_the_command_to_run() -> None:
    with pytest.raises(ValueError, match="kedro run --pipelines=advertising"):
        prepare_session_log(None, None, OffPolicyOptions(), seed=0)
