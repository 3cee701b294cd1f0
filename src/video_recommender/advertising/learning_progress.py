"""How well an agent does while it learns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from threadpoolctl import threadpool_limits

from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.simulate import simulate
from video_recommender.advertising.viewer_model import ShownAds, ViewerModel
from video_recommender.schemas import AdLearningCurve

LOOKS = 20
SESSIONS_PER_LOOK = 2000

Watcher: TypeAlias = Callable[[DataFrame[AdLearningCurve]], None]
"""Is told the curve as far as it goes after each look, such as to draw it while it grows."""

Learner = TypeVar("Learner", bound=AdPolicy)


@dataclass(frozen=True, eq=False)
class LearntPolicy(Generic[Learner]):
    """A policy that was learnt.

    Attributes:
        policy: chooses ads by what it knows, and tries nothing any more.
        learning_curve: how well it did while it was learnt.
    """

    policy: Learner
    learning_curve: DataFrame[AdLearningCurve]


class LearningProgress:
    """Counts what an agent earns while it learns, and looks now and then at what it would earn with what it knows.

    Args:
        agent: what to call it.
        model: the viewers. Each look has other viewers than those that the agent learns from, but always the same.
        rounds: how many rounds of learning there are.
        seed: where the chance of the looks begins.
        watcher: see `Watcher`; None: nobody watches.
    """

    def __init__(self, agent: str, model: ViewerModel, rounds: int, seed: int, watcher: Watcher | None = None) -> None:
        self._agent = agent
        self._model = model
        self._due = frozenset(np.linspace(rounds / LOOKS, rounds, LOOKS).round().astype(int).tolist())
        self._seed = seed
        self._watcher = watcher
        self._steps = 0
        self._sessions = 0
        self._earned = 0.0
        self._looks: list[dict[str, str | float]] = []

    def count(self, shown: ShownAds) -> None:
        """Take note of ads that the agent has shown while it learns."""
        self._steps += len(shown.reward)
        self._sessions += int(shown.is_over.sum())
        self._earned += float(shown.reward.sum())

    def is_due(self, number: int) -> bool:
        """Whether to look after this round, counted from 1."""
        return number in self._due

    def look(self, policy: AdPolicy) -> None:
        """Let the agent show ads as it would if it had finished learning."""
        rng = np.random.default_rng([self._seed, 1])  # not the seed alone: the agent's own chance begins there
        with threadpool_limits(1, "blas"):  # on matrices so small, threads mostly wait for each other
            revenue = simulate(self._model, policy, SESSIONS_PER_LOOK, rng).revenue
        self._looks.append(
            {
                "agent": self._agent,
                "steps": self._steps,
                "sessions": self._sessions,
                "earned": self._earned,
                "revenue_per_session": float(revenue.mean()),
                "standard_error": float(revenue.std(ddof=1) / np.sqrt(len(revenue))),
                "regret": np.nan,
            }
        )
        if self._watcher:
            self._watcher(self.curve())

    def curve(self) -> DataFrame[AdLearningCurve]:
        """A row per look."""
        return AdLearningCurve.validate(pd.DataFrame(self._looks))
