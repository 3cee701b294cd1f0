"""Off-policy evaluation: estimate the revenue of a policy from the log of another one.

Doubly robust estimates need a model of the log: a Markov chain of aggregated states. A regression tree per ad groups
states in which the ad earns and ends sessions similarly; value and state distribution of a policy then solve linear
equations. Averages of logged steps cannot diverge, as linear functions may off policy (Gordon 1995; Ernst, Geurts and
Wehenkel 2005). Estimates for a session come from sessions of other folds (cross-fitting; Chernozhukov et al. 2018).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from sklearn.tree import DecisionTreeRegressor

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.simulation import indices_of, replay_sessions
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.schemas import ROUNDING_LIMIT, AdSessionLog, OffPolicyReport

logger = logging.getLogger(__name__)

Estimator = Literal["ips", "snips", "doubly_robust"]
Consequences = Literal["none", "session", "state"]

FOLDS = 5
MIN_STEPS_PER_STATE = 25
MAX_STATES_PER_AD = 64
PRIOR_STEPS = 1.0
"""Average steps added to each aggregated state, which continue like first steps, so that sessions can always end."""

NORMAL_QUANTILE: Final = 1.959964
"""97.5 % quantile, for 95 % intervals."""

MIN_EFFECTIVE_SESSIONS: Final[Mapping[Consequences, float]] = MappingProxyType(
    {"none": 100.0, "session": 1000.0, "state": 1000.0}
)
"""With fewer, intervals cover less than they should (benchmarks/off_policy.py)."""

MAX_IMBALANCE: Final = 2.0
"""Above, the policy reaches states that the log hardly covers, where the Markov chain extrapolates."""


@dataclass(frozen=True, eq=False)
class LoggedSteps:
    """Whole sessions of a log, a step per ad shown, ordered by session and step.

    Attributes:
        session: number of the session, int64, shape (steps,), ascending.
        ads: the ad that was shown, int64, shape (steps,).
        propensity: probability that the logged policy showed it, float64, shape (steps,).
        reward: what it earned, float64, shape (steps,).
        observations: before the ad, float32, shape (steps, observed).

    Raises:
        ValueError: if a propensity is not in (0, 1], steps are out of order, or there are too few sessions.
    """

    session: IntArray
    ads: IntArray
    propensity: FloatArray
    reward: FloatArray
    observations: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not ((self.propensity > 0) & (self.propensity <= ROUNDING_LIMIT)).all():
            raise ValueError("A propensity of the log is not in (0, 1]: log the probability of each shown ad")
        if (np.diff(self.session) < 0).any():
            raise ValueError("The steps of the log are out of order: sort them by session and step")
        if self.sessions < 2 * FOLDS:
            raise ValueError(f"The log has {self.sessions} session(s): at least {2 * FOLDS} are needed")

    @cached_property
    def is_first(self) -> NDArray[np.bool_]:
        """Whether the step is the first of its session."""
        return np.insert(np.diff(self.session) != 0, 0, True) if len(self.session) else np.zeros(0, bool)

    @cached_property
    def continues(self) -> NDArray[np.bool_]:
        """Whether the session has another step."""
        return ~np.append(self.is_first[1:], True)

    @cached_property
    def row(self) -> IntArray:
        """Index of the session of each step, from 0."""
        return np.asarray(np.cumsum(self.is_first) - 1)

    @cached_property
    def position(self) -> IntArray:
        """Number of earlier steps of the session."""
        return np.asarray(np.arange(len(self.session)) - np.flatnonzero(self.is_first)[self.row])

    @cached_property
    def sessions(self) -> int:
        """Number of sessions."""
        return int(self.is_first.sum())

    def at_logged_ads(self, by_ad: NDArray[np.generic]) -> FloatArray:
        """Select the logged ad of each step from an array of shape (steps, ads)."""
        return np.asarray(by_ad[np.arange(len(self.ads)), self.ads])

    def sum_by_session(self, amounts: FloatArray) -> FloatArray:
        """Sum amounts of shape (steps,) by session, shape (sessions,)."""
        return np.bincount(self.row, amounts, self.sessions).astype(np.float64)


@dataclass(frozen=True, eq=False)
class AggregatedStates:
    """State-action pairs grouped by trees that were fitted without the sessions of one fold.

    Attributes:
        is_held_out: whether the step belongs to that fold, bool, shape (steps,).
        of_ads: group of each ad in each step, int64, shape (steps, ads); different ads have different groups.
        count: number of groups.
    """

    is_held_out: NDArray[np.bool_]
    of_ads: IntArray
    count: int


@dataclass(frozen=True, eq=False)
class ChainEstimates:
    """Cross-fitted estimates of the Markov chain under a target policy.

    Attributes:
        reward: immediate reward of each ad, float64, shape (steps, ads).
        value: reward of each ad and, under the target policy, of the rest of the session, float64, shape (steps, ads).
        density_ratio: frequency of the state and the logged ad under the target policy, divided by that in the log,
            float64, shape (steps,).
        imbalance: how far weighted observations before and after a step disagree, relative to their size: 0 if the
            chain is right, above 1 if the policy reaches states that the log hardly covers.
    """

    reward: FloatArray
    value: FloatArray
    density_ratio: FloatArray
    imbalance: float


@dataclass(frozen=True, eq=False)
class ImportanceWeights:
    """Frequency of each state, and of state and ad, under the target policy divided by that in the log; (steps,)."""

    state: FloatArray
    state_and_ad: FloatArray

    @property
    def effective_share(self) -> float:
        """Effective sample size (Kish 1965) as a share of the log; 0 if all weights are 0."""
        squares = float((self.state_and_ad**2).mean())
        return float(self.state_and_ad.mean()) ** 2 / squares if squares else 0.0


@dataclass(frozen=True, eq=False)
class Estimate:
    """Revenue per session of a policy by one estimator.

    Attributes:
        estimator: see `estimate_value`.
        consequences: assumption about the effect of ads on the rest of their session, see `estimate_value`.
        weights: the importance weights used.
        by_session: independent terms, float64, shape (sessions,), whose mean is the value.
        imbalance: see `ChainEstimates`; 0 for estimators that are right without the chain.
    """

    estimator: Estimator
    consequences: Consequences
    weights: ImportanceWeights
    by_session: FloatArray
    imbalance: float = 0.0


def evaluate_from_log(
    log: DataFrame[AdSessionLog], model: ViewerModel, policies: Mapping[str, AdPolicy]
) -> DataFrame[OffPolicyReport]:
    """Estimate the revenue of policies, by name, from the log of another policy; see `estimate_value`.

    Policies must only use what agents observe. The viewers' behaviour in the model is not used.
    """
    before = replay_sessions(log, model)
    ordered = log.sort_values(["session", "step"])
    steps = LoggedSteps(
        session=ordered["session"].to_numpy(),
        ads=indices_of(ordered["ad_id"], model.ads.ad_ids),
        propensity=ordered["propensity"].to_numpy(),
        reward=ordered["reward"].to_numpy(),
        observations=model.observe(before),
    )
    folds = aggregate_states(steps, len(model.ads))
    reports = [
        estimate_value(steps, folds, policy.action_probabilities(model, before), name)
        for name, policy in policies.items()
    ]
    return OffPolicyReport.validate(pd.concat(reports, ignore_index=True))


def estimate_value(
    steps: LoggedSteps, folds: tuple[AggregatedStates, ...], target: FloatArray, policy: str
) -> DataFrame[OffPolicyReport]:
    """Estimate the revenue per session of a policy, with 95 % intervals, by several estimators.

    Each makes one of these assumptions about the effect of an ad on the rest of its session (`consequences`):

    - `none`: no effect; steps are weighted independently. Wrong if ads annoy, or if the policy depends on earlier ads.
    - `session`: any effect; weights are products of the ratios of all steps so far, so their variance grows fast.
    - `state`: effects that the observation shows; weights are density ratios of aggregated states.

    Estimators:

    - `ips`: inverse propensity scores, per decision (Precup, Sutton and Singh 2000).
    - `snips`: self-normalised (Swaminathan and Joachims 2015; for `session`, the consistent weighted per-decision
      estimator of Thomas 2015, in which sessions that are over keep their weight).
    - `doubly_robust`: the chain's value, corrected by its weighted errors; right if either the weights or the chain are
      (Dudík et al. 2011, arXiv:1103.4601; Jiang and Li 2016, arXiv:1511.03722; Thomas and Brunskill 2016,
      arXiv:1604.00923; for `state`, Kallus and Uehara 2020, arXiv:1908.08526).

    Every estimate is a mean over sessions (`snips`: linearised) with a normal interval from the standard error.

    Args:
        steps: the log.
        folds: see `aggregate_states`; the same for all policies.
        target: action probabilities of the policy in each logged step, shape (steps, ads); rows sum to 1.
        policy: name of the policy in the report.

    Raises:
        ValueError: if `target` does not have one row per step that sums to 1.
    """
    if len(target) != len(steps.ads) or not np.allclose(target.sum(axis=1), 1):
        raise ValueError(f"Policy {policy} must give one row of probabilities that sum to 1 per logged step")
    ratio = steps.at_logged_ads(target) / steps.propensity
    chain = solve_chain(steps, folds, target)
    products = _cumulative_products(steps, ratio)
    step = ImportanceWeights(np.ones(len(ratio)), ratio)
    session = _shift_within_sessions(steps, products[steps.row, steps.position])
    state = _shift_within_sessions(steps, chain.density_ratio)
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


def aggregate_states(steps: LoggedSteps, ads: int) -> tuple[AggregatedStates, ...]:
    """Group states in which an ad earns and ends sessions similarly, once for each fold held out."""
    outcomes = np.column_stack([steps.reward, steps.continues])
    outcomes = outcomes / np.maximum(outcomes.std(axis=0), np.finfo(float).eps)
    return tuple(_fit_trees(steps.row % FOLDS == fold, steps, outcomes, ads) for fold in range(FOLDS))


def solve_chain(steps: LoggedSteps, folds: tuple[AggregatedStates, ...], target: FloatArray) -> ChainEstimates:
    """Solve the Markov chain of aggregated states under the target policy, see `estimate_value`."""
    reward, value, density_ratio = (np.empty(target.shape) for _ in range(3))
    for states in folds:
        held_out = states.of_ads[states.is_held_out]
        for estimates, by_state in zip((reward, value, density_ratio), _solve(steps, states, target), strict=True):
            estimates[states.is_held_out] = by_state[held_out]
    logged = steps.at_logged_ads(density_ratio)
    return ChainEstimates(reward, value, logged, _imbalance(steps, logged))


def _fit_trees(is_held_out: NDArray[np.bool_], steps: LoggedSteps, outcomes: FloatArray, ads: int) -> AggregatedStates:
    of_ads, count = np.empty((len(is_held_out), ads), np.int64), 0
    for ad in range(ads):
        rows = ~is_held_out & (steps.ads == ad)
        leaves = np.zeros(len(is_held_out), np.int64)  # an ad that was never shown has one group
        if rows.any():
            tree = DecisionTreeRegressor(
                min_samples_leaf=MIN_STEPS_PER_STATE, max_leaf_nodes=MAX_STATES_PER_AD, random_state=0
            ).fit(steps.observations[rows], outcomes[rows])
            leaves = tree.apply(steps.observations)
        names, numbers = np.unique(leaves, return_inverse=True)
        of_ads[:, ad], count = count + numbers, count + len(names)
    return AggregatedStates(is_held_out, of_ads, count)


def _solve(
    steps: LoggedSteps, states: AggregatedStates, target: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Reward, value and density ratio of each group, from the steps that are not held out."""
    used = ~states.is_held_out
    moving, starting = np.flatnonzero(used & steps.continues), np.flatnonzero(used & steps.is_first)
    state = steps.at_logged_ads(states.of_ads).astype(np.int64)
    size = np.bincount(state[used], minlength=states.count) + PRIOR_STEPS
    starts = np.bincount(states.of_ads[starting].ravel(), target[starting].ravel(), states.count)

    rewards = np.bincount(state[used], steps.reward[used], states.count) + PRIOR_STEPS * steps.reward[used].mean()
    moves = np.tile(PRIOR_STEPS * steps.continues[used].mean() * starts / starts.sum(), (states.count, 1))
    np.add.at(moves, (state[moving, np.newaxis], states.of_ads[moving + 1]), target[moving + 1])

    equations = np.eye(states.count) - moves / size[:, np.newaxis]
    value = np.linalg.solve(equations, rewards / size)
    visits = np.linalg.solve(equations.T, starts)
    return rewards / size, value, visits / size


def _imbalance(steps: LoggedSteps, density_ratio: FloatArray) -> float:
    observations = steps.observations.astype(np.float64)
    weighted = density_ratio @ observations
    moved = density_ratio[:-1][steps.continues[:-1]] @ observations[1:][steps.continues[:-1]]
    size = np.maximum(density_ratio @ np.abs(observations), np.finfo(float).eps)
    return float((np.abs(observations[steps.is_first].sum(axis=0) + moved - weighted) / size).max(initial=0))


def _cumulative_products(steps: LoggedSteps, ratio: FloatArray) -> FloatArray:
    """Products of the ratios up to each step, shape (sessions, most steps); the last one is repeated."""
    ratios = np.ones((steps.sessions, steps.position.max() + 1))
    ratios[steps.row, steps.position] = ratio
    return np.asarray(ratios.cumprod(axis=1))


def _shift_within_sessions(steps: LoggedSteps, state_and_ad: FloatArray) -> ImportanceWeights:
    """Weight each state like the step before it, and first states by 1."""
    return ImportanceWeights(np.where(steps.is_first, 1, np.roll(state_and_ad, 1)), state_and_ad)


def _ips(steps: LoggedSteps, weights: ImportanceWeights) -> FloatArray:
    return steps.sum_by_session(weights.state_and_ad * steps.reward)


def _snips_of_steps(steps: LoggedSteps, ratio: FloatArray) -> FloatArray:
    """Weighted mean reward of a step times the mean number of steps."""
    if not ratio.any():
        return np.full(steps.sessions, np.nan)
    mean = np.average(steps.reward, weights=ratio)
    return steps.sum_by_session(ratio / ratio.mean() * (steps.reward - mean) + mean)


def _snips_of_sessions(steps: LoggedSteps, products: FloatArray) -> FloatArray:
    """Sum over positions of the weighted mean reward there."""
    if not products.any(axis=0).all():
        return np.full(steps.sessions, np.nan)
    rewards = np.zeros_like(products)
    rewards[steps.row, steps.position] = steps.reward
    means = np.average(rewards, axis=0, weights=products)
    return np.asarray((products / products.mean(axis=0) * (rewards - means) + means).sum(axis=1))


def _doubly_robust(
    steps: LoggedSteps, target: FloatArray, predicted: FloatArray, weights: ImportanceWeights
) -> FloatArray:
    """Prediction of the model plus its weighted error on the logged ads."""
    errors = weights.state_and_ad * (steps.reward - steps.at_logged_ads(predicted))
    return steps.sum_by_session(weights.state * (target * predicted).sum(axis=1) + errors)


def _report(steps: LoggedSteps, policy: str, estimates: list[Estimate]) -> DataFrame[OffPolicyReport]:
    logged = steps.sum_by_session(steps.reward)
    table = pd.DataFrame(
        {
            "policy": policy,
            "estimator": [estimate.estimator for estimate in estimates],
            "consequences": [estimate.consequences for estimate in estimates],
            "value": [estimate.by_session.mean() for estimate in estimates],
            "value_margin": [_margin(estimate.by_session) for estimate in estimates],
            "gain": [(estimate.by_session - logged).mean() for estimate in estimates],
            "gain_margin": [_margin(estimate.by_session - logged) for estimate in estimates],
            "sessions": steps.sessions,
            "effective_sessions": [estimate.weights.effective_share * steps.sessions for estimate in estimates],
        }
    )
    for name in ("value", "gain"):
        margin = table.pop(f"{name}_margin")
        table[f"{name}_low"], table[f"{name}_high"] = table[name] - margin, table[name] + margin
    is_covered = np.array([estimate.imbalance <= MAX_IMBALANCE for estimate in estimates])
    is_enough = table["effective_sessions"] >= table["consequences"].map(MIN_EFFECTIVE_SESSIONS)
    table["is_reliable"] = is_enough & is_covered
    for consequences, rows in table[~table["is_reliable"]].groupby("consequences"):
        logger.warning(
            "The log is too small to evaluate %s with consequences `%s`: its %d sessions are worth %.0f%s. Log more "
            "sessions, or evaluate a policy that is closer to the logged one",
            policy,
            consequences,
            steps.sessions,
            rows["effective_sessions"].iloc[0],
            "" if is_covered[rows.index].all() else ", and the policy reaches states that the log hardly covers",
        )
    return OffPolicyReport.validate(table)


def _margin(by_session: FloatArray) -> float:
    return float(NORMAL_QUANTILE * by_session.std(ddof=1) / np.sqrt(len(by_session)))
