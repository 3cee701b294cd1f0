"""Why the agent chose an ad: what it and the others are expected to bring."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.advertising.ad_selection import choose_first_ad
from video_recommender.advertising.corpus_viewers import VideoProjection
from video_recommender.advertising.q_network_policy import QNetworkPolicy
from video_recommender.advertising.viewer_model import FloatArray, Sessions, ViewerModel
from video_recommender.gallery.video_details import AdAnswer, AdPromise
from video_recommender.schemas import AdRecommendations, Ads, VideoPoints


class _OverheardPolicy:
    """The agent, but what it believed last can be looked at.

    Attributes:
        values: what it believes each ad to earn with all that follows, shape (ads,); None before it was asked.
    """

    def __init__(self, policy: QNetworkPolicy) -> None:
        self._policy = policy
        self.values: NDArray[np.float32] | None = None

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        self.values = self._policy.action_values(model.observe(sessions))[-1]
        return self._policy.action_probabilities(model, sessions)


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
    known = () if viewers is None else _promises_in_corpus(video_id, viewers, policy)
    return _with_others(ad_id, known) or AdAnswer(promise, ())


def explain_new_ad(
    points: DataFrame[VideoPoints],
    categories: Mapping[str, float],
    features: VideoProjection | None,
    viewers: ViewerModel | None,
    policy: QNetworkPolicy | None,
) -> AdAnswer | None:
    """Tell which ad is shown before a video that is not in the corpus, and why.

    Args:
        points: its place in object space, one row.
        categories: how probably it is of which.
        features: what the agent is told of a video.
        viewers: how viewers take ads.
        policy: the agent.

    Returns:
        None if advertising has not run, or with other points.
    """
    if features is None or viewers is None or policy is None or not features.fits(points):
        return None
    overheard = _OverheardPolicy(policy)
    chosen = choose_first_ad(viewers, overheard, features.project(points)[0], categories)
    believed = np.array([categories.get(name, 0.0) for name in viewers.category_names])
    watched = believed @ viewers.watch_probability_by_category()
    return _with_others(chosen.ad_id, _promises(viewers, watched.clip(max=1), overheard.values))


def _promises_in_corpus(video_id: str, viewers: ViewerModel, policy: QNetworkPolicy | None) -> tuple[AdPromise, ...]:
    position = int(pd.Index(viewers.video_ids).get_indexer(pd.Index([video_id]))[0])
    if position < 0:
        return ()
    watched = viewers.watch_probability_by_category()[viewers.video_category[position]]
    arrival = viewers.start_sessions(1, np.random.default_rng(0), np.array([position]))
    return _promises(viewers, watched, None if policy is None else policy.action_values(viewers.observe(arrival))[0])


def _promises(viewers: ViewerModel, watched: FloatArray, values: NDArray[np.float32] | None) -> tuple[AdPromise, ...]:
    ads = viewers.ads
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


def _with_others(ad_id: str, promises: tuple[AdPromise, ...]) -> AdAnswer | None:
    ranked = sorted(promises, key=_worth, reverse=True)
    chosen = next((promise for promise in ranked if promise.ad_id == ad_id), None)
    if chosen is None:
        return None
    return AdAnswer(chosen, tuple(promise for promise in ranked if promise.ad_id != ad_id))


def _worth(promise: AdPromise) -> float:
    return promise.expected_reward if promise.session_value is None else promise.session_value
