"""LinUCB (Li et al. 2010, arXiv:1003.0146): learns online which ad earns most just now, and looks no further ahead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat, PositiveInt
from threadpoolctl import threadpool_limits

from video_recommender.advertising.endless_sessions import with_arrivals
from video_recommender.advertising.learning_progress import LearningProgress, LearntPolicy, Watcher
from video_recommender.advertising.policies import show_only
from video_recommender.advertising.viewer_model import FloatArray, Sessions, ViewerModel


class BanditOptions(BaseModel):
    """How the bandit learns.

    Attributes:
        steps: how many ads are shown while it learns.
        sessions: how many sessions run side by side; it learns after each ad in all of them.
        confidence: how many standard deviations of what it does not know yet an ad is credited with.
        seed: where chance begins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: PositiveInt = 100_000
    sessions: PositiveInt = 512
    confidence: PositiveFloat = 1.0
    seed: NonNegativeInt = 0


@dataclass(frozen=True, eq=False)
class LinearPolicy:
    """Shows the ad of which a linear function of the observation says that it earns most.

    Attributes:
        weights: float64, shape (observed + 1, ads); the last row is the constant.
    """

    weights: FloatArray

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        earned = _contexts(model.observe(sessions)) @ self.weights
        return show_only(earned.argmax(axis=1), len(model.ads))


def train_contextual_bandit(
    model: ViewerModel, options: BanditOptions, watcher: Watcher | None = None
) -> LearntPolicy[LinearPolicy]:
    """Show the ad that may earn most, for all that is known, and learn from what it did earn.

    Args:
        model: the viewers; the bandit looks at what it may observe of them and at what the dearest ad earns.
        options: see `BanditOptions`.
        watcher: see `Watcher`; None: nobody watches.

    Returns:
        The policy that tries nothing any more, and how well the bandit did while it learnt.
    """
    rng = np.random.default_rng(options.seed)
    dearest, rounds = float(model.ads.reward.max()), -(-options.steps // options.sessions)
    progress = LearningProgress("lin_ucb", model, rounds, options.seed, watcher)
    sessions = model.start_sessions(options.sessions, rng)
    width = _contexts(model.observe(sessions)).shape[1]
    # Ridge regression of each ad's reward: Σ x xᵀ + 1, and Σ x · reward.
    moments = np.tile(np.eye(width), (len(model.ads), 1, 1))
    rewards = np.zeros((len(model.ads), width))
    with threadpool_limits(1, "blas"):  # on matrices so small, threads mostly wait for each other
        for number in range(1, rounds + 1):
            inverses = np.linalg.inv(moments)
            weights = np.einsum("aij,aj->ia", inverses, rewards)
            contexts = _contexts(model.observe(sessions))
            doubt = np.sqrt(np.einsum("asi,si->sa", contexts @ inverses, contexts))
            chosen = (contexts @ weights + options.confidence * dearest * doubt).argmax(axis=1)
            shown = model.show_ads(sessions, chosen, rng)
            for ad in np.unique(chosen):
                seen = contexts[chosen == ad]
                moments[ad] += seen.T @ seen
                rewards[ad] += shown.reward[chosen == ad] @ seen
            sessions = with_arrivals(model, shown, rng)
            progress.count(shown)
            if progress.is_due(number):
                progress.look(LinearPolicy(weights))
    return LearntPolicy(LinearPolicy(np.einsum("aij,aj->ia", np.linalg.inv(moments), rewards)), progress.curve())


def _contexts(observed: NDArray[np.float32]) -> FloatArray:
    return np.column_stack([observed.astype(np.float64), np.ones(len(observed))])
