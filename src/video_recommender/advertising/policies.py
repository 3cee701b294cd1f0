"""Policies: how the next ad is selected. Simple baselines, and the trained Q-network without Keras."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.viewers import Sessions, ViewerModel


class AdPolicy(Protocol):
    """Selects an ad for every session.

    An agent uses `model.observe(sessions)`, the videos' categories and the rewards of the ads only. Policies that read
    what the model hides, such as the watch probabilities, are references and say so.
    """

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Return the probability that each ad is shown next, shape (sessions, ads); rows sum to 1."""


@dataclass(frozen=True)
class RandomPolicy:
    """Shows all ads with equal probability."""

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return np.full((len(sessions), len(model.ads)), 1 / len(model.ads))


@dataclass(frozen=True)
class KindPolicy:
    """Shows the ad of this kind for the video's category."""

    kind: Literal["long", "short"]

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        is_candidate = matches_category(model, sessions) & (np.array(model.ads.kinds) == self.kind)
        return one_hot(is_candidate.argmax(axis=1), len(model.ads))


@dataclass(frozen=True)
class MatchedGreedyPolicy:
    """Shows the ad of the video's category with the highest true expected reward: a reference.

    It is optimal if ads do not annoy and no ad of another category earns more.
    """

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        expected = model.ads.watch_probability * model.ads.reward
        best = np.where(matches_category(model, sessions), expected, -np.inf).argmax(axis=1)
        return one_hot(best, len(model.ads))


@dataclass(frozen=True)
class EpsilonMixedPolicy:
    """Follows another policy, but shows a random ad with probability `epsilon`, so that a log covers all ads."""

    followed: AdPolicy
    epsilon: float

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        followed = self.followed.action_probabilities(model, sessions)
        return np.asarray((1 - self.epsilon) * followed + self.epsilon / followed.shape[1])


@dataclass(frozen=True, eq=False)
class QNetworkPolicy:
    """Shows the ad with the highest action value, computed by a Q-network in NumPy.

    Attributes:
        weights: of each dense layer, shape (inputs, outputs); a ReLU follows all but the last.
        biases: of each dense layer, shape (outputs,).
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def action_values(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate the revenue from each ad to the end of the session, shape (sessions, ads)."""
        hidden = observations
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weights + bias, 0)
        return np.asarray(hidden @ self.weights[-1] + self.biases[-1])

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return one_hot(self.action_values(model.observe(sessions)).argmax(axis=1), len(model.ads))


def matches_category(model: ViewerModel, sessions: Sessions) -> NDArray[np.bool_]:
    """Check which ads have the category of the session's video, shape (sessions, ads)."""
    is_matched = np.array(model.category_names)[:, np.newaxis] == np.array(model.ads.categories)
    return np.asarray(is_matched[model.video_category[sessions.video]])


def one_hot(selected: IntArray, ads: int) -> FloatArray:
    """Put all probability on the selected ad of each session, shape (sessions, ads)."""
    probabilities = np.zeros((len(selected), ads))
    probabilities[np.arange(len(selected)), selected] = 1
    return probabilities


def draw_ads(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw an ad per session from probabilities of shape (sessions, ads); uses one random number per session."""
    thresholds = probabilities.cumsum(axis=1)
    # Scaled by the last threshold, which rounding may leave just below 1, so that no draw exceeds it.
    draws = rng.random(len(probabilities)) * thresholds[:, -1]
    return np.asarray((draws[:, np.newaxis] >= thresholds).sum(axis=1))
