"""What a policy would earn, told from the log of another one: no viewer has to sit through it first."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.advertising.logged_chain import Cells, LoggedSteps, grow_cells, solve_chain
from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.session_log import positions_of, replay_sessions
from video_recommender.advertising.viewer_model import FloatArray, ViewerModel
from video_recommender.schemas import AdSessionLog, OffPolicyReport

logger = logging.getLogger(__name__)

Estimator = Literal["ips", "snips", "doubly_robust"]
Consequences = Literal["none", "session", "state"]

NORMAL_QUANTILE: Final = 1.959964
"""Of 97.5 %: a standard error to both sides as often makes a 95 % interval."""

LEAST_EFFECTIVE_SESSIONS: Final[Mapping[Consequences, float]] = MappingProxyType(
    {"none": 100.0, "session": 1000.0, "state": 1000.0}
)
"""With fewer, intervals cover less than they say (benchmarks/off_policy.py)."""

MOST_IMBALANCE: Final = 2.0
"""With more, a policy comes to situations that the log hardly knows, and the chain can only guess there."""


@dataclass(frozen=True, eq=False)
class Weights:
    """How much more often the target policy would come to what was logged.

    Attributes:
        situation: to the situation, float64, shape (steps,).
        shown: to the situation and the ad shown in it, float64, shape (steps,).
    """

    situation: FloatArray
    shown: FloatArray

    @property
    def effective_share(self) -> float:
        """Share of the log that would tell as much if all steps weighed alike (Kish 1965); 0 if none weighs."""
        squares = float((self.shown**2).mean())
        return float(self.shown.mean()) ** 2 / squares if squares else 0.0


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a policy would earn per session, by one estimator.

    Attributes:
        estimator: see `estimate_value`.
        consequences: what ads are assumed to do to the rest of their session, see `estimate_value`.
        weights: what the log was weighed by.
        by_session: float64, shape (sessions,); their mean is the value, and they vary independently.
        imbalance: see `ChainEstimates`; 0 where nothing depends on the chain.
    """

    estimator: Estimator
    consequences: Consequences
    weights: Weights
    by_session: FloatArray
    imbalance: float = 0.0


def evaluate_from_log(
    log: DataFrame[AdSessionLog], model: ViewerModel, policies: Mapping[str, AdPolicy]
) -> DataFrame[OffPolicyReport]:
    """Estimate what policies would earn, from the log of another policy.

    Args:
        log: whole sessions, each ad with its propensity.
        model: what is known of the videos and ads; nothing of how viewers behave is used.
        policies: by name; they must not look at what viewers hide.

    Returns:
        The rows of `estimate_value` for each policy.
    """
    before = replay_sessions(log, model)
    ordered = log.sort_values(["session", "step"])
    steps = LoggedSteps(
        session=ordered["session"].to_numpy(),
        ads=positions_of(ordered["ad_id"], model.ads.ad_ids),
        propensity=ordered["propensity"].to_numpy(),
        reward=ordered["reward"].to_numpy(),
        observed=model.observe(before),
    )
    folds = grow_cells(steps, len(model.ads))
    reports = [
        estimate_value(steps, folds, policy.action_probabilities(model, before), name)
        for name, policy in policies.items()
    ]
    return OffPolicyReport.validate(pd.concat(reports, ignore_index=True))


def estimate_value(
    steps: LoggedSteps, folds: tuple[Cells, ...], target: FloatArray, policy: str
) -> DataFrame[OffPolicyReport]:
    """Estimate what a policy would earn per session, with 95 % intervals, by each estimator that fits.

    An ad may be assumed to have, for the rest of its session, as `consequences`:

    - `none`: each step weighs by itself. Wrong where ads annoy, or where the policy goes by the ads shown before.
    - `session`: any; a step weighs by the product of the ratios of all choices up to it, which soon runs wild.
    - `state`: those that show in what is observed; a step weighs by how often the policy would come to its cell.

    Estimators:

    - `ips`: rewards by inverse propensities, per decision (Precup, Sutton and Singh 2000).
    - `snips`: the same with weights that add up to what they should (Swaminathan and Joachims 2015; for sessions the
      consistent weighted per-decision estimator of Thomas 2015, where who has left goes on weighing).
    - `doubly_robust`: what the log's chain says, corrected by its weighted errors: right if either the weights or the
      chain are (Dudík et al. 2011, arXiv:1103.4601; Jiang and Li 2016, arXiv:1511.03722; Thomas and Brunskill 2016,
      arXiv:1604.00923; for `state`, Kallus and Uehara 2020, arXiv:1908.08526).

    Every estimate is a mean over sessions (`snips`: after linearisation), and its interval that of the normal
    distribution with the standard error over sessions.

    Args:
        steps: the log.
        folds: its cells, see `grow_cells`; they serve all policies.
        target: how probably the policy would show each ad in each logged step, shape (steps, ads); rows sum to 1.
        policy: its name, for the report.

    Returns:
        A row per estimator and assumption.

    Raises:
        ValueError: if the target's probabilities are not one row per step that sums to 1.
    """
    if len(target) != len(steps.ads) or not np.allclose(target.sum(axis=1), 1):
        raise ValueError(f"What {policy} would show is not told by one row of probabilities per logged step")
    ratio = steps.of_shown(target) / steps.propensity
    chain = solve_chain(steps, folds, target)
    products = _running_products(steps, ratio)
    step = Weights(np.ones(len(ratio)), ratio)
    session = _entered_as_left(steps, products[steps.row, steps.position])
    state = _entered_as_left(steps, chain.visits)
    estimates = [
        Estimate("ips", "none", step, _ips(steps, step)),
        Estimate("snips", "none", step, _snips_of_steps(steps, ratio)),
        Estimate("doubly_robust", "none", step, _doubly_robust(steps, target, chain.reward, step)),
        Estimate("ips", "session", session, _ips(steps, session)),
        Estimate("snips", "session", session, _snips_of_sessions(steps, products)),
        Estimate("doubly_robust", "session", session, _doubly_robust(steps, target, chain.value, session)),
        Estimate("doubly_robust", "state", state, _doubly_robust(steps, target, chain.value, state), chain.imbalance),
    ]
    return _report(steps, policy, estimates)


def _running_products(steps: LoggedSteps, ratio: FloatArray) -> FloatArray:
    """Products of the ratios up to each step, shape (sessions, most steps); after its last step a session keeps its."""
    ratios = np.ones((steps.sessions, steps.position.max() + 1))
    ratios[steps.row, steps.position] = ratio
    return np.asarray(ratios.cumprod(axis=1))


def _entered_as_left(steps: LoggedSteps, shown: FloatArray) -> Weights:
    """Whoever has come through the step before comes to the next one; all come to the first."""
    return Weights(np.where(steps.is_first, 1, np.roll(shown, 1)), shown)


def _ips(steps: LoggedSteps, weights: Weights) -> FloatArray:
    return steps.total(weights.shown * steps.reward)


def _snips_of_steps(steps: LoggedSteps, ratio: FloatArray) -> FloatArray:
    """The weighted mean reward of a step times the mean number of steps."""
    if not ratio.any():
        return np.full(steps.sessions, np.nan)
    mean = np.average(steps.reward, weights=ratio)
    return steps.total(ratio / ratio.mean() * (steps.reward - mean) + mean)


def _snips_of_sessions(steps: LoggedSteps, products: FloatArray) -> FloatArray:
    """The sum over first, second, … steps of the weighted mean reward there."""
    if not products.any(axis=0).all():
        return np.full(steps.sessions, np.nan)
    rewards = np.zeros_like(products)
    rewards[steps.row, steps.position] = steps.reward
    means = np.average(rewards, axis=0, weights=products)
    return np.asarray((products / products.mean(axis=0) * (rewards - means) + means).sum(axis=1))


def _doubly_robust(steps: LoggedSteps, target: FloatArray, believed: FloatArray, weights: Weights) -> FloatArray:
    """What is believed of each ad, corrected by what the shown one earned more than was believed."""
    corrections = weights.shown * (steps.reward - steps.of_shown(believed))
    return steps.total(weights.situation * (target * believed).sum(axis=1) + corrections)


def _report(steps: LoggedSteps, policy: str, estimates: list[Estimate]) -> DataFrame[OffPolicyReport]:
    logged = steps.total(steps.reward)
    table = pd.DataFrame(
        {
            "policy": policy,
            "estimator": [estimate.estimator for estimate in estimates],
            "consequences": [estimate.consequences for estimate in estimates],
            "value": [estimate.by_session.mean() for estimate in estimates],
            "value_error": [_margin(estimate.by_session) for estimate in estimates],
            "gain": [(estimate.by_session - logged).mean() for estimate in estimates],
            "gain_error": [_margin(estimate.by_session - logged) for estimate in estimates],
            "sessions": steps.sessions,
            "effective_sessions": [estimate.weights.effective_share * steps.sessions for estimate in estimates],
        }
    )
    for name in ("value", "gain"):
        error = table.pop(f"{name}_error")
        table[f"{name}_low"], table[f"{name}_high"] = table[name] - error, table[name] + error
    is_familiar = np.array([estimate.imbalance <= MOST_IMBALANCE for estimate in estimates])
    is_enough = table["effective_sessions"] >= table["consequences"].map(LEAST_EFFECTIVE_SESSIONS)
    table["is_reliable"] = is_enough & is_familiar
    for consequences, rows in table[~table["is_reliable"]].groupby("consequences"):
        logger.warning(
            "The log does not tell what %s would earn, with consequences `%s`: of its %d sessions, %.0f count%s; log "
            "more, or judge a policy that is nearer to the logged one",
            policy,
            consequences,
            steps.sessions,
            rows["effective_sessions"].iloc[0],
            "" if is_familiar[rows.index].all() else ", and the policy comes to situations that they hardly know",
        )
    return OffPolicyReport.validate(table)


def _margin(by_session: FloatArray) -> float:
    return float(NORMAL_QUANTILE * by_session.std(ddof=1) / np.sqrt(len(by_session)))
