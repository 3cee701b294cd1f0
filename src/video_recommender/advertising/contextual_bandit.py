"""LinUCB (Li et al. 2010, arXiv:1003.0146): a contextual bandit, which maximises the immediate reward only."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from video_recommender.advertising.ads import FloatArray
from video_recommender.advertising.policies import one_hot
from video_recommender.advertising.training import PARALLEL_SESSIONS, CurveCallback, LearningCurve, TrainedPolicy
from video_recommender.advertising.viewers import Sessions, ViewerModel

BANDIT = "lin_ucb"
CONFIDENCE = 1.0
"""Width of the upper confidence bound in standard deviations, in units of the highest reward."""


@dataclass(frozen=True, eq=False)
class LinearPolicy:
    """Shows the ad with the highest reward according to a linear function of the observation.

    Attributes:
        weights: float64, shape (observed + 1, ads); the last row is the intercept.
    """

    weights: FloatArray

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        rewards = _contexts(model.observe(sessions)) @ self.weights
        return one_hot(rewards.argmax(axis=1), len(model.ads))


def train_contextual_bandit(
    model: ViewerModel, steps: int, seed: int, on_evaluation: CurveCallback | None = None
) -> TrainedPolicy[LinearPolicy]:
    """Train the bandit on simulated viewers.

    Args:
        model: the viewers, of which the bandit uses the observations and the highest reward of an ad.
        steps: number of ads to show.
        seed: random seed.
        on_evaluation: see `CurveCallback`.
    """
    rng = np.random.default_rng(seed)
    reward_scale = float(model.ads.reward.max())
    learning_curve = LearningCurve(BANDIT, model, steps, seed, on_evaluation)
    sessions = model.start_sessions(PARALLEL_SESSIONS, rng)
    width = _contexts(model.observe(sessions)).shape[1]
    # Ridge regression per ad: the moments are 1 + Σ x xᵀ, the reward sums Σ x · reward.
    moments = np.tile(np.eye(width), (len(model.ads), 1, 1))
    reward_sums = np.zeros((len(model.ads), width))
    with threadpool_limits(1, "blas"):  # faster: the matrices are too small for several threads
        for number in range(1, learning_curve.rounds + 1):
            inverses = np.linalg.inv(moments)
            weights = np.einsum("aij,aj->ia", inverses, reward_sums)
            contexts = _contexts(model.observe(sessions))
            deviation = np.sqrt(np.einsum("asi,si->sa", contexts @ inverses, contexts))
            actions = (contexts @ weights + CONFIDENCE * reward_scale * deviation).argmax(axis=1)
            result = model.show_ads(sessions, actions, rng)
            for ad in np.unique(actions):
                observed = contexts[actions == ad]
                moments[ad] += observed.T @ observed
                reward_sums[ad] += result.reward[actions == ad] @ observed
            sessions = model.replace_finished(result, rng)
            learning_curve.record(number, result, partial(LinearPolicy, weights))
    weights = np.einsum("aij,aj->ia", np.linalg.inv(moments), reward_sums)
    return TrainedPolicy(LinearPolicy(weights), learning_curve.table())


def _contexts(observations: NDArray[np.float32]) -> FloatArray:
    return np.column_stack([observations.astype(np.float64), np.ones(len(observations))])
