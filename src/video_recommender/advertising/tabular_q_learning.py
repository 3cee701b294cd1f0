"""Tabular Q-learning (Watkins and Dayan 1992): the readable small case of what the deep Q-network does.

A state is the video's category, the previous ad and its streak. Without tastes, only the position is missing.
"""

from dataclasses import dataclass

import numpy as np

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.policies import one_hot
from video_recommender.advertising.training import PARALLEL_SESSIONS, CurveCallback, LearningCurve, TrainedPolicy
from video_recommender.advertising.viewers import Sessions, ViewerModel

Q_TABLE = "q_table"
MAX_STREAK = 5
EPSILON = 0.3
"""Exploration rate; as low as the deep Q-network's at the end."""
LEARNING_RATE_EXPONENT = 0.9
"""The n-th update of a state has the learning rate n to the power of minus this. Below 1, so that early updates, made
when later ads were still badly selected, lose weight (Even-Dar and Mansour 2003); 0.7 and 0.8 measured worse."""


@dataclass(frozen=True, eq=False)
class TablePolicy:
    """Shows the ad with the highest action value.

    Attributes:
        values: float64, shape (categories, ads + 1, streaks + 1, ads), indexed by the video's category, the previous
            ad (the last index: none), its streak and the ad.
    """

    values: FloatArray

    def action_values(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Look up the estimated revenue from each ad to the end of the session, shape (sessions, ads)."""
        return np.asarray(self.values[table_indices(model, sessions)])

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return one_hot(self.action_values(model, sessions).argmax(axis=1), len(model.ads))


def table_indices(model: ViewerModel, sessions: Sessions) -> tuple[IntArray, IntArray, IntArray]:
    """Return category, previous ad (-1: none) and streak of each session: the indices of its state in the table."""
    return model.video_category[sessions.video], sessions.last_ad, np.minimum(sessions.streak, MAX_STREAK)


def train_q_table(
    model: ViewerModel, steps: int, seed: int, on_evaluation: CurveCallback | None = None
) -> TrainedPolicy[TablePolicy]:
    """Train a table of action values on simulated viewers.

    Args:
        model: the viewers, of which the videos' categories and the ads shown are used.
        steps: number of ads to show.
        seed: random seed.
        on_evaluation: see `CurveCallback`.
    """
    rng = np.random.default_rng(seed)
    ads = len(model.ads)
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
        cells = np.ravel_multi_index((*table_indices(model, sessions), actions), values.shape, mode="wrap")
        errors = result.reward + next_values - values.flat[cells]
        # Sessions in the same state make one update with their mean temporal-difference error.
        updated, counts = np.unique(cells, return_counts=True)
        mean_errors = np.bincount(cells, errors)[updated] / counts
        updates.flat[updated] += 1
        values.flat[updated] += mean_errors * updates.flat[updated] ** -LEARNING_RATE_EXPONENT

        sessions = model.replace_finished(result, rng)
        learning_curve.record(number, result, lambda: policy)
    return TrainedPolicy(policy, learning_curve.table())
