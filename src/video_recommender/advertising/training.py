"""What the training of all agents shares: the trained policy, and its learning curve."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from plotly.subplots import make_subplots
from threadpoolctl import threadpool_limits

from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.simulation import simulate
from video_recommender.advertising.viewers import StepResult, ViewerModel
from video_recommender.schemas import AdLearningCurve

AGENT, Q_TABLE, BANDIT = "deep_q_network", "q_table", "lin_ucb"
"""Names of the agents in tables and metrics."""
LABELS = {AGENT: "deep Q-network", Q_TABLE: "tabular Q-learning", BANDIT: "LinUCB"}
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")

PARALLEL_SESSIONS = 512
"""Sessions that an agent acts in per round. More make rounds cheaper per ad, fewer allow more updates."""
EVALUATIONS = 20
SESSIONS_PER_EVALUATION = 2000

CurveCallback: TypeAlias = Callable[[DataFrame[AdLearningCurve]], None]
"""Receives the learning curve so far after each evaluation, for example to plot it during training."""


@dataclass(frozen=True, eq=False)
class TrainedPolicy:
    """A trained policy, which no longer explores, and its learning curve."""

    policy: AdPolicy
    learning_curve: DataFrame[AdLearningCurve]


class LearningCurve:
    """Records what an agent earns during training, and evaluates it at regular intervals on the same sessions.

    Args:
        agent: name of the agent.
        model: the viewers.
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
        self._agent, self._model, self._seed, self._on_evaluation = agent, model, seed, on_evaluation
        evaluated = np.linspace(self.rounds / EVALUATIONS, self.rounds, EVALUATIONS).round()
        self._evaluated_rounds = frozenset(evaluated.astype(int).tolist())
        self._steps, self._sessions, self._earned = 0, 0, 0.0
        self._rows: list[dict[str, str | float]] = []

    def record(self, number: int, result: StepResult, policy: Callable[[], AdPolicy]) -> None:
        """Add the result of training round `number`, from 1; evaluate the policy learned so far if that is due."""
        self._steps += len(result.reward)
        self._sessions += int(result.is_over.sum())
        self._earned += float(result.reward.sum())
        if number not in self._evaluated_rounds:
            return
        rng = np.random.default_rng([self._seed, 1])  # independent of the training, which uses the seed alone
        with threadpool_limits(1, "blas"):  # faster: the matrices are too small for several threads
            revenue = simulate(self._model, policy(), SESSIONS_PER_EVALUATION, rng).revenue
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

    def table(self) -> DataFrame[AdLearningCurve]:
        """Return a row per evaluation so far."""
        return AdLearningCurve.validate(pd.DataFrame(self._rows))


def add_regret(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> DataFrame[AdLearningCurve]:
    """Add the regret: how much more the optimum, with this revenue per session, earns in as many sessions."""
    return AdLearningCurve.validate(curve.assign(regret=curve["sessions"] * optimal_revenue - curve["earned"]))


def plot_learning_curve(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> go.Figure:
    """Plot revenue per session and regret against the number of ads shown during training, a line per agent.

    Args:
        curve: learning curves of all agents, with regret.
        optimal_revenue: revenue per session of the optimum, drawn as a dotted line.
    """
    figure = make_subplots(cols=2, subplot_titles=["Revenue per session", "Regret"], horizontal_spacing=0.12)
    for number, (agent, rows) in enumerate(curve.groupby("agent", sort=False)):
        line = {"color": COLOURS[number % len(COLOURS)], "width": 2}
        name = LABELS.get(str(agent), str(agent))
        for column, values in enumerate(("revenue_per_session", "regret"), start=1):
            # Lists: plotly would write arrays as base64, which older readers of the JSON file do not support.
            heights = [None if pd.isna(value) else round(float(value), 4) for value in rows[values]]
            trace = go.Scatter(x=rows["steps"].tolist(), y=heights, name=name, line=line, showlegend=column == 1)
            figure.add_trace(trace, row=1, col=column)
    figure.add_hline(optimal_revenue, line={"dash": "dot", "color": "#666"}, annotation_text="optimum", row=1, col=1)
    figure.update_xaxes(title="ads shown during training")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(
        template="plotly_white",
        title={"text": "Learning curves of the ad agents", "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=980,
        height=440,
        legend={"orientation": "h", "y": -0.2},
    )
