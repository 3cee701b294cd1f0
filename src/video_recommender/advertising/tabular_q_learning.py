"""Q-learning with a table (Watkins and Dayan 1992): the readable small case of what the deep Q-network does.

A situation is the video's category, the ad that was shown last, and how often in a row: all that matters where viewers
have no tastes, but for how long the session has lasted.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from video_recommender.advertising.endless_sessions import with_arrivals
from video_recommender.advertising.learning_progress import LearningProgress, LearntPolicy, Watcher
from video_recommender.advertising.policies import show_only
from video_recommender.advertising.viewer_model import FloatArray, IntArray, Sessions, Share, ViewerModel

LONGEST_STREAK = 5
FORGETTING = 0.9
"""The n-th lesson of a situation moves its value by n to the power of minus this: less than 1, so that what was learnt
when later ads were still chosen badly is forgotten (Even-Dar and Mansour 2003); 0.7 and 0.8 measured worse."""


class TableOptions(BaseModel):
    """How the table is learnt.

    Attributes:
        steps: how many ads are shown while it is learnt.
        sessions: how many sessions run side by side.
        epsilon: how often any ad is tried.
        seed: where chance begins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: PositiveInt = 5_000_000
    sessions: PositiveInt = 512
    epsilon: Share = 0.3
    seed: NonNegativeInt = 0


@dataclass(frozen=True, eq=False)
class TablePolicy:
    """Shows the ad of the highest value.

    Attributes:
        values: what each ad earns with all that follows, float64, shape (categories, ads + 1, streaks + 1, ads): by the
            video's category, the ad that was shown last (the last one: none) and how often in a row.
    """

    values: FloatArray

    def action_values(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Look up what each ad is believed to earn, shape (sessions, ads)."""
        return np.asarray(self.values[situations(model, sessions)])

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        return show_only(self.action_values(model, sessions).argmax(axis=1), len(model.ads))


def situations(model: ViewerModel, sessions: Sessions) -> tuple[IntArray, IntArray, IntArray]:
    """Category, last ad (-1: none) and streak of each session: where to look in the table."""
    return model.video_category[sessions.video], sessions.last_ad, np.minimum(sessions.streak, LONGEST_STREAK)


def train_q_table(
    model: ViewerModel, options: TableOptions, watcher: Watcher | None = None
) -> LearntPolicy[TablePolicy]:
    """Try ads on viewers, and put down in a table what each was worth in each situation.

    Args:
        model: the viewers; their videos' categories are looked at, and what they did.
        options: see `TableOptions`.
        watcher: see `Watcher`; None: nobody watches.

    Returns:
        The policy, and how well it did while it learnt.
    """
    rng = np.random.default_rng(options.seed)
    ads, rounds = len(model.ads), -(-options.steps // options.sessions)
    values = np.zeros((len(model.category_names), ads + 1, LONGEST_STREAK + 1, ads))
    lessons = np.zeros_like(values)
    policy = TablePolicy(values)
    progress = LearningProgress("q_table", model, rounds, options.seed, watcher)

    sessions = model.start_sessions(options.sessions, rng)
    for number in range(1, rounds + 1):
        explores = rng.random(options.sessions) < options.epsilon
        best = policy.action_values(model, sessions).argmax(axis=1)
        chosen = np.where(explores, rng.integers(ads, size=options.sessions), best)
        shown = model.show_ads(sessions, chosen, rng)

        later = np.where(shown.is_over, 0, policy.action_values(model, shown.sessions).max(axis=1))
        cells = np.ravel_multi_index((*situations(model, sessions), chosen), values.shape, mode="wrap")
        surprise = shown.reward + later - values.flat[cells]
        # Sessions in the same situation teach one lesson together: their mean.
        taught, times = np.unique(cells, return_counts=True)
        mean_surprise = np.bincount(cells, surprise)[taught] / times
        lessons.flat[taught] += 1
        values.flat[taught] += mean_surprise * lessons.flat[taught] ** -FORGETTING

        sessions = with_arrivals(model, shown, rng)
        progress.count(shown)
        if progress.is_due(number):
            progress.look(policy)
    return LearntPolicy(policy, progress.curve())
