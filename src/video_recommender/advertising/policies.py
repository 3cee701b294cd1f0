"""Policies that select the next ad (simple baselines, and the Q-network in NumPy), and rankings of ads for a video."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.advertising.ads import AdInventory, FloatArray, IntArray
from video_recommender.advertising.viewers import ABSENT, Sessions, ViewerModel, combine_features
from video_recommender.schemas import VideoPoints


class AdPolicy(Protocol):
    """Selects the next ad of each session.

    Agents use only `model.observe(sessions)`, the categories of videos and the rewards of ads. Policies that use hidden
    properties of the viewers, such as watch probabilities, are references for comparison.
    """

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Return the probability that each ad is shown next, shape (sessions, ads). Rows sum to 1."""


@dataclass(frozen=True)
class RandomPolicy:
    """Shows all ads with equal probability."""

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return np.full((len(sessions), len(model.ads)), 1 / len(model.ads))


@dataclass(frozen=True)
class KindPolicy:
    """Shows the long or the short ad of the video's category, depending on `kind`."""

    kind: Literal["long", "short"]

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        is_candidate = model.is_matched[model.video_category[sessions.video]] & (np.array(model.ads.kinds) == self.kind)
        return one_hot(is_candidate.argmax(axis=1), len(model.ads))


@dataclass(frozen=True)
class MatchedGreedyPolicy:
    """Shows the ad of the video's category with the highest expected reward; a reference, not an agent.

    Without annoyance and tastes, this policy is optimal if no ad of another category has a higher expected reward.
    """

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        expected = np.where(model.is_matched, model.ads.watch_probability * model.ads.reward, -np.inf)
        return one_hot(expected.argmax(axis=1)[model.video_category[sessions.video]], len(model.ads))


@dataclass(frozen=True)
class EpsilonMixedPolicy:
    """Shows a random ad with probability `epsilon`, else follows another policy, so that a log covers all ads."""

    followed: AdPolicy
    epsilon: float

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        followed = self.followed.action_probabilities(model, sessions)
        return np.asarray((1 - self.epsilon) * followed + self.epsilon / followed.shape[1])


@dataclass(frozen=True, eq=False)
class QNetworkPolicy:
    """Shows the ad with the highest action value of a Q-network, computed in NumPy.

    Dense layers have weights of shape (inputs, outputs) and biases of shape (outputs,). All but the last have a ReLU.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def action_values(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate the return from each ad to the end of the session, shape (sessions, ads)."""
        hidden = observations
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weights + bias, 0)
        return np.asarray(hidden @ self.weights[-1] + self.biases[-1])

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return one_hot(self.action_values(model.observe(sessions)).argmax(axis=1), len(model.ads))


@dataclass(frozen=True)
class AdChoice:
    """An ad (see the table `ads`), with its watch probability and expected reward before one video.

    `session_value` is the agent's estimate of the return from this ad to the end of the session, in units of `reward`.
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
    """Rank all ads for a video of the corpus by `session_value`. Raises a `ValueError` if the video is unknown."""
    if video_id not in model.video_ids:
        raise ValueError(f"Video {video_id} has no ad: run `kedro run --pipelines=advertising` again")
    video = model.video_ids.index(video_id)
    watch_probability = model.watch_probability_by_category()[model.video_category[video]]
    arrival = model.start_sessions(1, np.random.default_rng(0), np.array([video]))
    return _rank(model.ads, watch_probability, policy.action_values(model.observe(arrival))[0])


def rank_ads_for_new_video(
    model: ViewerModel, policy: QNetworkPolicy, points: DataFrame[VideoPoints], categories: Mapping[str, float]
) -> tuple[AdChoice, ...]:
    """Rank all ads by `session_value` for a video that is not in the corpus.

    `points` has one row. `categories` has the probability of each category; categories without ads are ignored. If
    `can_rank_new_video` is false, raises a `ValueError`.
    """
    if model.projection is None:
        raise ValueError("Viewers of a generated corpus have no object space: load `viewer_model` from the catalog")
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
    return _rank(model.ads, watch_probability, policy.action_values(observations)[0])


def can_rank_new_video(model: ViewerModel, points: DataFrame[VideoPoints]) -> bool:
    """Return whether the points are in the object space that the agent was trained with."""
    return model.projection is not None and model.projection.fits(points)


def one_hot(selected: IntArray, ads: int) -> FloatArray:
    """Return probability 1 for the selected ad of each session and 0 for all other ads, shape (sessions, ads)."""
    probabilities = np.zeros((len(selected), ads))
    probabilities[np.arange(len(selected)), selected] = 1
    return probabilities


def draw_ads(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw one ad per session from probabilities of shape (sessions, ads), with one random number per session."""
    thresholds = probabilities.cumsum(axis=1)
    # Draws are scaled by the last threshold, which can be slightly below 1 because of rounding errors.
    draws = rng.random(len(probabilities)) * thresholds[:, -1]
    return np.asarray((draws[:, np.newaxis] >= thresholds).sum(axis=1))


def _rank(ads: AdInventory, watch_probability: FloatArray, session_values: NDArray[np.float32]) -> tuple[AdChoice, ...]:
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
