"""What all agents have in common, and the simple policies that an agent must beat."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from video_recommender.advertising.viewer_model import FloatArray, IntArray, Sessions, ViewerModel


class AdPolicy(Protocol):
    """Chooses an ad for every session.

    An agent looks at `model.observe(sessions)`, at the videos' categories and at the price list only; whoever looks at
    what the model hides, such as the watch probabilities, is a yardstick and says so.
    """

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Tell how probably each ad is shown next.

        Args:
            model: the viewers.
            sessions: where they are.

        Returns:
            float64, shape (sessions, ads); rows sum to 1.
        """


@dataclass(frozen=True)
class RandomPolicy:
    """Shows any ad, all equally often."""

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        ads = len(model.ads.ad_ids)
        return np.full((len(sessions.video), ads), 1 / ads)


@dataclass(frozen=True)
class KindPolicy:
    """Shows an ad of the video's category, always the long or always the short one.

    Attributes:
        kind: which one.
    """

    kind: Literal["long", "short"]

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        suits = is_matched(model, sessions) & (np.array(model.ads.kinds) == self.kind)
        return show_only(suits.argmax(axis=1), len(model.ads.ad_ids))


@dataclass(frozen=True)
class MatchedGreedyPolicy:
    """Shows the ad of the video's category that earns most on average, by the true table: a yardstick.

    It is the best that can be done where ads do not annoy and no ad of another category earns more.
    """

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        earned = model.ads.watch_probability * model.ads.reward
        best = np.where(is_matched(model, sessions), earned, -np.inf).argmax(axis=1)
        return show_only(best, len(earned))


@dataclass(frozen=True)
class EpsilonMixedPolicy:
    """Follows another policy but for a share of the time, in which any ad is shown: so that logs tell of all ads.

    Attributes:
        followed: the other policy.
        epsilon: the share, 0 to 1.
    """

    followed: AdPolicy
    epsilon: float

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        followed = self.followed.action_probabilities(model, sessions)
        return np.asarray((1 - self.epsilon) * followed + self.epsilon / followed.shape[1])


def is_matched(model: ViewerModel, sessions: Sessions) -> NDArray[np.bool_]:
    """Tell which ads are of the category of the session's video, shape (sessions, ads)."""
    matched = np.array(model.category_names)[:, np.newaxis] == np.array(model.ads.categories)
    return np.asarray(matched[model.video_category[sessions.video]])


def show_only(chosen: IntArray, ads: int) -> FloatArray:
    """Put all probability on one ad per session.

    Args:
        chosen: number of the ad, shape (sessions,).
        ads: how many there are.

    Returns:
        float64, shape (sessions, ads).
    """
    probabilities = np.zeros((len(chosen), ads))
    probabilities[np.arange(len(chosen)), chosen] = 1
    return probabilities


def draw_ads(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw an ad per session.

    Args:
        probabilities: shape (sessions, ads); rows sum to 1.
        rng: draws one number per session.

    Returns:
        int64, shape (sessions,).
    """
    thresholds = probabilities.cumsum(axis=1)
    # Scaled by the last threshold, which rounding may have left just below 1: no draw lies beyond it.
    draws = rng.random(len(probabilities)) * thresholds[:, -1]
    return np.asarray((draws[:, np.newaxis] >= thresholds).sum(axis=1))
