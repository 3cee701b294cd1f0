"""Why the agent chose an ad: what it and the others are expected to bring."""

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.gallery.video_details import AdAnswer, AdPromise
from video_recommender.pipelines.advertising.q_network_policy import QNetworkPolicy
from video_recommender.pipelines.advertising.viewer_model import ViewerModel
from video_recommender.schemas import AdRecommendations, Ads


def explain_ad(
    video_id: str,
    recommended: DataFrame[AdRecommendations],
    ads: DataFrame[Ads],
    viewers: ViewerModel | None,
    policy: QNetworkPolicy | None,
) -> AdAnswer | None:
    """Tell which ad is shown before a video of the corpus, and why.

    Args:
        video_id: the video.
        recommended: the ad for each video.
        ads: what can be shown.
        viewers: how viewers take ads; without, only the chosen ad is told of.
        policy: the agent; without, nothing is told of what it believes.

    Returns:
        None if no ad was chosen for the video.
    """
    row = recommended[recommended["video_id"] == video_id]
    if row.empty:
        return None
    ad_id, earned = str(row["ad_id"].iloc[0]), float(row["expected_reward"].iloc[0])
    chosen = next((ad for ad in ads.to_dict("records") if ad["ad_id"] == ad_id), None)
    if chosen is None:
        return None
    reward = float(chosen["reward"])
    promise = AdPromise(
        ad_id=ad_id,
        category=str(chosen["category"]),
        kind=str(chosen["kind"]),
        seconds=float(chosen["seconds"]),
        watch_probability=min(earned / reward, 1.0) if reward else 0.0,
        reward=reward,
        expected_reward=earned,
    )
    promises = () if viewers is None else _promises(video_id, viewers, policy)
    ranked = sorted(promises, key=_worth, reverse=True)
    return AdAnswer(
        chosen=next((known for known in ranked if known.ad_id == ad_id), promise),
        others=tuple(known for known in ranked if known.ad_id != ad_id),
    )


def _promises(video_id: str, viewers: ViewerModel, policy: QNetworkPolicy | None) -> tuple[AdPromise, ...]:
    position = int(pd.Index(viewers.video_ids).get_indexer(pd.Index([video_id]))[0])
    if position < 0:
        return ()
    watched = viewers.watch_probability_by_category()[viewers.video_category[position]]
    ads = viewers.ads
    arrival = viewers.start_sessions(1, np.random.default_rng(0), np.array([position]))
    values = None if policy is None else policy.action_values(viewers.observe(arrival))[0]
    return tuple(
        AdPromise(
            ad_id=ads.ad_ids[ad],
            category=ads.categories[ad],
            kind=ads.kinds[ad],
            seconds=float(ads.seconds[ad]),
            watch_probability=float(watched[ad]),
            reward=float(ads.reward[ad]),
            expected_reward=float(watched[ad] * ads.reward[ad]),
            session_value=None if values is None else float(values[ad]),
        )
        for ad in range(len(ads))
    )


def _worth(promise: AdPromise) -> float:
    return promise.expected_reward if promise.session_value is None else promise.session_value
