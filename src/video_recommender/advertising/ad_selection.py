"""The first ad of a session that starts at a video of the corpus or at a new video, and why it is selected."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.advertising.ads import FloatArray
from video_recommender.advertising.policies import QNetworkPolicy
from video_recommender.advertising.viewers import ABSENT, ViewerModel, combine_features
from video_recommender.schemas import VideoPoints


@dataclass(frozen=True)
class AdChoice:
    """An ad that can be shown before a video, and what it is expected to earn there.

    Attributes:
        category: category that the ad is for.
        kind: `long` or `short`.
        watch_probability: probability that it is watched before this video.
        reward: what it earns if it is watched.
        expected_reward: what it earns on average, watched or not.
        session_value: the agent's estimate of the revenue from this ad to the end of the session.
    """

    ad_id: str
    category: str
    kind: str
    seconds: float
    watch_probability: float
    reward: float
    expected_reward: float
    session_value: float


def rank_ads(model: ViewerModel, policy: QNetworkPolicy, video_id: str) -> tuple[AdChoice, ...]:
    """Rank all ads before a video of the corpus: the selected ad first, then the others by `session_value`."""
    if video_id not in model.video_ids:
        raise ValueError(f"Video {video_id} has no ad: run `kedro run --pipelines=advertising` again")
    video = model.video_ids.index(video_id)
    watch_probability = model.watch_probability_by_category()[model.video_category[video]]
    arrival = model.start_sessions(1, np.random.default_rng(0), np.array([video]))
    return _rank(model, watch_probability, policy.action_values(model.observe(arrival))[0])


def rank_ads_for_new_video(
    model: ViewerModel, policy: QNetworkPolicy, points: DataFrame[VideoPoints], categories: Mapping[str, float]
) -> tuple[AdChoice, ...]:
    """Rank all ads before a video that is not in the corpus, as `rank_ads` does, if `can_rank_new_video`.

    Args:
        model: the viewers that the policy was trained with.
        policy: the agent.
        points: the new video in object space, one row.
        categories: probability of each category; categories without ads are ignored.
    """
    if model.projection is None:
        raise ValueError("These viewers have a made-up corpus without object space: use the catalog's `viewer_model`")
    probabilities = np.array([categories.get(name, 0.0) for name in model.category_names])
    with_new_video = replace(
        model,
        video_ids=("new/video",),
        video_category=np.array([probabilities.argmax()]),
        video_features=combine_features(probabilities[np.newaxis], model.projection.project(points)),
        neighbours=np.full((1, 1), ABSENT),
        similarity=np.zeros((1, 1)),
    )
    watch_probability = np.minimum(probabilities @ model.watch_probability_by_category(), 1)
    observations = with_new_video.observe(with_new_video.start_everywhere())
    return _rank(model, watch_probability, policy.action_values(observations)[0])


def can_rank_new_video(model: ViewerModel, points: DataFrame[VideoPoints]) -> bool:
    """Check whether points are in the object space that the agent was trained with."""
    return model.projection is not None and model.projection.fits(points)


def _rank(
    model: ViewerModel, watch_probability: FloatArray, session_values: NDArray[np.float32]
) -> tuple[AdChoice, ...]:
    ads = model.ads
    return tuple(
        AdChoice(
            ad_id=ads.ad_ids[ad],
            category=ads.categories[ad],
            kind=ads.kinds[ad],
            seconds=float(ads.seconds[ad]),
            watch_probability=float(watch_probability[ad]),
            reward=float(ads.reward[ad]),
            expected_reward=float(watch_probability[ad] * ads.reward[ad]),
            session_value=float(session_values[ad]),
        )
        for ad in np.argsort(-session_values, kind="stable")
    )
