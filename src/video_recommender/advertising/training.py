"""What the training of all agents shares: the trained policy, and its learning curve."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from threadpoolctl import threadpool_limits

from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.simulation import simulate
from video_recommender.advertising.viewers import StepResult, ViewerModel
from video_recommender.schemas import AdLearningCurve

PARALLEL_SESSIONS = 512
"""Sessions that an agent acts in per round. More make rounds cheaper per ad, fewer allow more updates."""

EVALUATIONS = 20
SESSIONS_PER_EVALUATION = 2000

CurveCallback: TypeAlias = Callable[[DataFrame[AdLearningCurve]], None]
"""Receives the learning curve so far after each evaluation, for example to plot it during training."""

Policy_co = TypeVar("Policy_co", bound=AdPolicy, covariant=True)


@dataclass(frozen=True, eq=False)
class TrainedPolicy(Generic[Policy_co]):
    """A trained policy, which no longer explores, and its learning curve."""

    policy: Policy_co
    learning_curve: DataFrame[AdLearningCurve]


class LearningCurve:
    """Records what an agent earns during training, and evaluates it at regular intervals.

    Args:
        agent: name of the agent.
        model: the viewers; all evaluations simulate the same sessions.
        steps: number of ads to show, rounded up to whole rounds.
        seed: random seed of the evaluations.
        on_evaluation: see `CurveCallback`.

    Attributes:
        rounds: number of training rounds, in which each of `PARALLEL_SESSIONS` sessions shows one ad.
    """

    def __init__(
        self, agent: str, model: ViewerModel, steps: int, seed: int, on_evaluation: CurveCallback | None
    ) -> None:
        self.rounds = -(-steps // PARALLEL_SESSIONS)
        self._agent = agent
        self._model = model
        evaluated = np.linspace(self.rounds / EVALUATIONS, self.rounds, EVALUATIONS).round()
        self._evaluated_rounds = frozenset(evaluated.astype(int).tolist())
        self._seed = seed
        self._on_evaluation = on_evaluation
        self._steps = 0
        self._sessions = 0
        self._earned = 0.0
        self._rows: list[dict[str, str | float]] = []

    def record(self, number: int, result: StepResult, policy: Callable[[], AdPolicy]) -> None:
        """Add the result of training round `number`, from 1; evaluate the policy learned so far if that is due."""
        self._steps += len(result.reward)
        self._sessions += int(result.is_over.sum())
        self._earned += float(result.reward.sum())
        if number in self._evaluated_rounds:
            self._evaluate(policy())

    def table(self) -> DataFrame[AdLearningCurve]:
        """Return a row per evaluation so far."""
        return AdLearningCurve.validate(pd.DataFrame(self._rows))

    def _evaluate(self, policy: AdPolicy) -> None:
        rng = np.random.default_rng([self._seed, 1])  # independent of the training, which uses the seed alone
        with threadpool_limits(1, "blas"):  # faster: the matrices are too small for several threads
            revenue = simulate(self._model, policy, SESSIONS_PER_EVALUATION, rng).revenue
        self._rows.append(
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
        if self._on_evaluation:
            self._on_evaluation(self.table())
