"""Train two simple agents for comparison with the deep Q-network: tabular Q-learning and a contextual bandit."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.evaluation import (
    BANDIT,
    PARALLEL_SESSIONS,
    Q_TABLE,
    CurveCallback,
    LearningCurve,
    TrainedPolicy,
)
from video_recommender.advertising.policies import one_hot
from video_recommender.advertising.viewers import Sessions, ViewerModel

MAX_STREAK = 5  # longer streaks have the same state
EPSILON = 0.3  # exploration rate of tabular Q-learning
LEARNING_RATE_EXPONENT = 0.9
"""The n-th update of a table cell has the learning rate 1 / n^exponent. With an exponent below 1, early updates, which
have inaccurate targets, lose weight faster (Even-Dar and Mansour 2003)."""
CONFIDENCE = 1.0  # width of the bandit's upper confidence bound, in standard deviations times the highest reward


@dataclass(frozen=True, eq=False)
class TablePolicy:
    """Shows the ad with the highest action value in a table.

    `values` has the shape (categories, ads + 1, streaks + 1, ads). The axes are the category of the video, the previous
    ad (the last index means none), the streak of the previous ad, and the next ad.
    """

    values: FloatArray

    def action_values(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Look up the estimated return of each ad, in units of the reward, shape (sessions, ads)."""
        return np.asarray(self.values[_state(model, sessions)])

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return one_hot(self.action_values(model, sessions).argmax(axis=1), len(model.ads))


@dataclass(frozen=True, eq=False)
class LinearPolicy:
    """Shows the ad with the highest immediate reward, estimated as a linear function of the observation.

    `weights` has the shape (observed + 1, ads). The last row contains the intercepts.
    """

    weights: FloatArray

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return one_hot((_contexts(model.observe(sessions)) @ self.weights).argmax(axis=1), len(model.ads))


def train_q_table(
    model: ViewerModel, steps: int, seed: int, on_evaluation: CurveCallback | None = None
) -> TrainedPolicy:
    """Train a table of action values by Q-learning (Watkins and Dayan 1992) for `steps` ads.

    The state consists of the video's category, the previous ad and the streak of this ad. The discount factor is 1.
    """
    rng, ads = np.random.default_rng(seed), len(model.ads)
    values = np.zeros((len(model.category_names), ads + 1, MAX_STREAK + 1, ads))
    updates = np.zeros_like(values)
    policy = TablePolicy(values)
    learning_curve = LearningCurve(Q_TABLE, model, steps, seed, on_evaluation)

    sessions = model.start_sessions(PARALLEL_SESSIONS, rng)
    for number in range(1, learning_curve.rounds + 1):
        explores = rng.random(PARALLEL_SESSIONS) < EPSILON
        greedy = policy.action_values(model, sessions).argmax(axis=1)
        actions = np.where(explores, rng.integers(ads, size=PARALLEL_SESSIONS), greedy)
        result = model.show_ads(sessions, actions, rng)

        next_values = np.where(result.is_over, 0, policy.action_values(model, result.sessions).max(axis=1))
        cells = np.ravel_multi_index((*_state(model, sessions), actions), values.shape, mode="wrap")
        errors = result.reward + next_values - values.flat[cells]
        # Sessions in the same cell share one update: their mean temporal-difference error.
        updated, counts = np.unique(cells, return_counts=True)
        mean_errors = np.bincount(cells, errors)[updated] / counts
        updates.flat[updated] += 1
        values.flat[updated] += mean_errors * updates.flat[updated] ** -LEARNING_RATE_EXPONENT

        sessions = model.replace_finished(result, rng)
        learning_curve.record(number, result, lambda: policy)
    return TrainedPolicy(policy, learning_curve.table())


def train_contextual_bandit(
    model: ViewerModel, steps: int, seed: int, on_evaluation: CurveCallback | None = None
) -> TrainedPolicy:
    """Train the contextual bandit LinUCB (Li et al. 2010, arXiv:1003.0146) for `steps` ads, on immediate rewards."""
    rng = np.random.default_rng(seed)
    reward_scale = float(model.ads.reward.max())
    learning_curve = LearningCurve(BANDIT, model, steps, seed, on_evaluation)
    sessions = model.start_sessions(PARALLEL_SESSIONS, rng)
    width = _contexts(model.observe(sessions)).shape[1]
    # Ridge regression per ad: the moments are I + Σ x xᵀ, the reward sums Σ x · reward.
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


def _state(model: ViewerModel, sessions: Sessions) -> tuple[IntArray, IntArray, IntArray]:
    """Return the indices of each session's state in the table: category, previous ad (-1 means none) and streak."""
    return model.video_category[sessions.video], sessions.last_ad, np.minimum(sessions.streak, MAX_STREAK)


def _contexts(observations: NDArray[np.float32]) -> FloatArray:
    return np.column_stack([observations.astype(np.float64), np.ones(len(observations))])
