"""The ad that a policy shows first, to a viewer who comes for a video of the corpus or for a new one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.advertising.corpus_viewers import describe_videos
from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.sessions import NOTHING, Sessions
from video_recommender.advertising.viewer_model import IntArray, ViewerModel
from video_recommender.schemas import AdObservations, AdRecommendations

NEW_VIDEO = "new/video"


@dataclass(frozen=True)
class ChosenAd:
    """The ad for a new video, and why.

    Attributes:
        ad_id: its name.
        category: what it is for.
        kind: `long` or `short`.
        seconds: its length.
        watch_probability: how probably it is watched, by what is believed of the video's category.
        expected_reward: what it earns on average.
    """

    ad_id: str
    category: str
    kind: str
    seconds: float
    watch_probability: float
    expected_reward: float


def recommend_first_ads(model: ViewerModel, policy: AdPolicy) -> DataFrame[AdRecommendations]:
    """Choose the first ad for each video.

    Args:
        model: the videos and their viewers.
        policy: chooses.

    Returns:
        A row per video, in alphabetical order; `expected_reward` is what the ad earns on average, over all tastes.
    """
    chosen = _first_choice(model, policy)
    rewards = model.watch_probability_by_category()[model.video_category] * model.ads.reward
    table = pd.DataFrame(
        {
            "video_id": model.video_ids,
            "ad_id": [model.ads.ad_ids[ad] for ad in chosen],
            "expected_reward": rewards[np.arange(len(chosen)), chosen],
        }
    )
    return AdRecommendations.validate(table)


def choose_first_ad(
    model: ViewerModel, policy: AdPolicy, projected: NDArray[np.float32], categories: Mapping[str, float]
) -> ChosenAd:
    """Choose the first ad for a new video.

    Args:
        model: what is known of viewers and ads.
        policy: chooses by what it observes.
        projected: what the video looks like, see `VideoProjection`, shape (axes,).
        categories: how probably it is of which; those that have no ads count for nothing.

    Returns:
        The ad, with what is believed of it.
    """
    believed = np.array([categories.get(name, 0.0) for name in model.category_names])
    with_it = replace(
        model,
        video_ids=(NEW_VIDEO,),
        video_category=np.array([believed.argmax()]),
        video_features=describe_videos(believed[np.newaxis], projected[np.newaxis]),
        neighbours=np.full((1, model.neighbours.shape[1]), NOTHING),
        similarity=np.zeros((1, model.neighbours.shape[1])),
    )
    ad = int(_first_choice(with_it, policy)[0])
    probability = float(believed @ model.watch_probability_by_category()[:, ad])
    ads = model.ads
    return ChosenAd(
        ad_id=ads.ad_ids[ad],
        category=ads.categories[ad],
        kind=ads.kinds[ad],
        seconds=float(ads.seconds[ad]),
        watch_probability=min(probability, 1.0),
        expected_reward=min(probability, 1.0) * float(ads.reward[ad]),
    )


def observe_first(model: ViewerModel) -> DataFrame[AdObservations]:
    """Tell what an agent sees before the first ad.

    Args:
        model: the videos and their viewers.

    Returns:
        float32, a row per video (index `video_id`), a column per observed number, in the order of
        `ViewerModel.observe`.
    """
    observed = model.observe(_at_every_video(model))
    features = [f"feature_{number}" for number in range(1, model.video_features.shape[1] + 1)]
    counted = [f"{what}_{ad}" for what in ("in_a_row", "shown", "watched") for ad in model.ads.ad_ids]
    table = pd.DataFrame(observed, pd.Index(model.video_ids, name="video_id"), [*features, "position", *counted])
    return AdObservations.validate(table)


def _at_every_video(model: ViewerModel) -> Sessions:
    videos = np.arange(len(model.video_ids))
    return model.start_sessions(len(videos), np.random.default_rng(0), videos)


def _first_choice(model: ViewerModel, policy: AdPolicy) -> IntArray:
    return np.asarray(policy.action_probabilities(model, _at_every_video(model)).argmax(axis=1))
