"""Off-policy evaluation: estimate the revenue of a policy from the log of another policy.

Doubly robust estimates need a model of the log. This model is a Markov chain of aggregated states: one regression tree
per ad groups states by reward and continuation. Linear equations give the values and the state distribution of the
chain under a policy. Averages of logged steps cannot diverge, unlike linear functions (Gordon 1995; Ernst, Geurts and
Wehenkel 2005). Estimates for a session use only other folds (cross-fitting; Chernozhukov et al. 2018).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

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

FOLDS = 5
MIN_STEPS_PER_STATE = 25
MAX_STATES_PER_AD = 64
PRIOR_STEPS = 1.0
"""Number of average steps added to each aggregated state. They lead to initial states, so that all sessions can end."""

NORMAL_QUANTILE: Final = 1.959964  # 97.5 % quantile, for 95 % intervals

MIN_EFFECTIVE_SESSIONS: Final = {"none": 100.0, "session": 1000.0, "state": 1000.0}
"""Minimum by `consequences`. With fewer sessions, intervals have a coverage below 95 % (benchmarks/off_policy.py)."""

MAX_IMBALANCE: Final = 2.0
"""Above this limit, the policy reaches states that the log hardly covers, and the Markov chain extrapolates."""


@dataclass(frozen=True, eq=False)
class LoggedSteps:
    """Complete sessions of a log, one step per ad shown, ordered by session and step.

    `propensity` is the probability with which the logging policy selected the ad. `observations` before each ad have
    the shape (steps, observed), other arrays (steps,). Raises a `ValueError` if values are invalid.
    """

    session: IntArray
    ads: IntArray
    propensity: FloatArray
    reward: FloatArray
    observations: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not ((self.propensity > 0) & (self.propensity <= ROUNDING_LIMIT)).all():
            raise ValueError(
                "A propensity in the log is not in (0, 1]: log the probability with which the policy selected each ad"
            )
        if (np.diff(self.session) < 0).any():
            raise ValueError("The steps in the log are out of order: sort them by session and step")
        if self.sessions < 2 * FOLDS:
            raise ValueError(f"The log has {self.sessions} session(s): log at least {2 * FOLDS}")

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
        """Index of the session of each step (0-based)."""
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
        """Sum amounts, shape (steps,), by session, and return the sums, shape (sessions,)."""
        return np.bincount(self.row, amounts, self.sessions).astype(np.float64)


class AggregatedStates(NamedTuple):
    """State-action pairs, grouped by trees that were fitted without the sessions of one fold.

    `is_held_out` marks the steps of that fold, shape (steps,). `of_ads` has the group of each step and ad, shape
    (steps, ads). Different ads have different groups.
    """

    is_held_out: NDArray[np.bool_]
    of_ads: IntArray
    groups: int


class ChainEstimates(NamedTuple):
    """Cross-fitted estimates of the Markov chain under a target policy.

    Attributes:
        reward, value: expected immediate reward and expected return of each ad, shape (steps, ads).
        density_ratio: frequency of the state and the logged ad under the target policy, divided by their frequency in
            the log, shape (steps,).
        imbalance: relative difference of weighted observations before and after a step, 0 if the chain is correct.
    """

    reward: FloatArray
    value: FloatArray
    density_ratio: FloatArray
    imbalance: float


def evaluate_from_log(
    log: DataFrame[AdSessionLog], model: ViewerModel, policies: Mapping[str, AdPolicy]
) -> DataFrame[OffPolicyReport]:
    """Estimate the revenue of policies from the log of another policy; see `estimate_value`.

    `policies` maps names to policies, which must use only what agents observe. Raises a `ValueError` if the log does
    not match the model.
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

    Each estimate assumes one of these effects of an ad on the rest of its session (`consequences`):

    - `none`: no effect. Steps are weighted independently, which is biased if ads annoy viewers or if the policy depends
      on earlier ads.
    - `session`: any effect. Weights are products of the ratios of all steps so far, which have high variance.
    - `state`: only effects that the observation shows. Weights are density ratios of aggregated states.

    Estimators:

    - `ips`: inverse propensity scores, per decision (Precup, Sutton and Singh 2000).
    - `snips`: self-normalised (Swaminathan and Joachims 2015; for `session`, weighted per decision, Thomas 2015).
    - `doubly_robust`: the value of the chain plus its weighted errors. Consistent if the weights or the chain are
      correct (Dudík et al. 2011, arXiv:1103.4601; Jiang and Li 2016, arXiv:1511.03722; Thomas and Brunskill 2016,
      arXiv:1604.00923; for `state`, Kallus and Uehara 2020, arXiv:1908.08526).

    Every estimate is a mean over sessions with a normal interval from the standard error; `snips` is linearised.

    Args:
        steps: the log.
        folds: result of `aggregate_states`, which is the same for all policies.
        target: action probabilities of the policy in each logged step, shape (steps, ads). Rows must sum to 1.
        policy: name of the policy.
    """
    if len(target) != len(steps.ads) or not np.allclose(target.sum(axis=1), 1):
        raise ValueError(f"Policy {policy} must return one row of probabilities that sum to 1 per logged step")
    ratio = steps.at_logged_ads(target) / steps.propensity
    chain = solve_chain(steps, folds, target)
    # Products of the ratios up to each step, shape (sessions, max steps). After the last step, they do not change.
    products = np.ones((steps.sessions, steps.position.max() + 1))
    products[steps.row, steps.position] = ratio
    products = products.cumprod(axis=1)
    # Frequency of each state and logged ad under the target policy, divided by their frequency in the log.
    weights = {"none": ratio, "session": products[steps.row, steps.position], "state": chain.density_ratio}
    # The weight of a state is the weight of the previous step, or 1 for the first state of a session.
    state_weights = {name: np.where(steps.is_first, 1, np.roll(weight, 1)) for name, weight in weights.items()}
    state_weights["none"] = np.ones(len(ratio))

    def doubly_robust(consequences: str, predicted: FloatArray) -> FloatArray:
        """Return the prediction of the chain plus the weighted errors on the logged ads, per session."""
        errors = weights[consequences] * (steps.reward - steps.at_logged_ads(predicted))
        return steps.sum_by_session(state_weights[consequences] * (target * predicted).sum(axis=1) + errors)

    estimates = {
        ("ips", "none"): steps.sum_by_session(ratio * steps.reward),
        ("snips", "none"): _snips_of_steps(steps, ratio),
        ("doubly_robust", "none"): doubly_robust("none", chain.reward),
        ("ips", "session"): steps.sum_by_session(weights["session"] * steps.reward),
        ("snips", "session"): _snips_of_sessions(steps, products),
        ("doubly_robust", "session"): doubly_robust("session", chain.value),
        ("doubly_robust", "state"): doubly_robust("state", chain.value),
    }
    is_covered = {"none": True, "session": True, "state": chain.imbalance <= MAX_IMBALANCE}
    logged = steps.sum_by_session(steps.reward)
    rows = []
    for (estimator, consequences), by_session in estimates.items():
        effective_sessions = _effective_share(weights[consequences]) * steps.sessions
        rows.append(
            {
                "policy": policy,
                "estimator": estimator,
                "consequences": consequences,
                **_mean_with_interval("value", by_session),
                **_mean_with_interval("gain", by_session - logged),
                "sessions": steps.sessions,
                "effective_sessions": effective_sessions,
                "is_reliable": is_covered[consequences] and effective_sessions >= MIN_EFFECTIVE_SESSIONS[consequences],
            }
        )
    table = pd.DataFrame(rows)
    for assumption, unreliable in table[~table["is_reliable"]].groupby("consequences"):
        logger.warning(
            "The log is too small to evaluate %s with consequences `%s`: it has %.0f effective sessions of %d%s. Log "
            "more sessions, or evaluate a policy that is closer to the logged one",
            policy,
            assumption,
            unreliable["effective_sessions"].iloc[0],
            steps.sessions,
            "" if is_covered[str(assumption)] else ", and the policy reaches states that the log hardly covers",
        )
    return OffPolicyReport.validate(table)


def aggregate_states(steps: LoggedSteps, ads: int) -> tuple[AggregatedStates, ...]:
    """Group states in which an ad has a similar reward and continuation probability, once per held-out fold."""
    outcomes = np.column_stack([steps.reward, steps.continues])
    outcomes = outcomes / np.maximum(outcomes.std(axis=0), np.finfo(float).eps)
    return tuple(_fit_trees(steps.row % FOLDS == fold, steps, outcomes, ads) for fold in range(FOLDS))


def solve_chain(steps: LoggedSteps, folds: tuple[AggregatedStates, ...], target: FloatArray) -> ChainEstimates:
    """Solve the Markov chain of aggregated states under the target policy; see `estimate_value`."""
    reward, value, density_ratio = (np.empty(target.shape) for _ in range(3))
    for states in folds:
        held_out = states.of_ads[states.is_held_out]
        for estimates, by_state in zip((reward, value, density_ratio), _solve(steps, states, target), strict=True):
            estimates[states.is_held_out] = by_state[held_out]
    logged = steps.at_logged_ads(density_ratio)
    return ChainEstimates(reward, value, logged, _imbalance(steps, logged))


def _fit_trees(is_held_out: NDArray[np.bool_], steps: LoggedSteps, outcomes: FloatArray, ads: int) -> AggregatedStates:
    of_ads, groups = np.empty((len(is_held_out), ads), np.int64), 0
    for ad in range(ads):
        rows = ~is_held_out & (steps.ads == ad)
        leaves = np.zeros(len(is_held_out), np.int64)  # an ad that was never shown has only one group
        if rows.any():
            tree = DecisionTreeRegressor(
                min_samples_leaf=MIN_STEPS_PER_STATE, max_leaf_nodes=MAX_STATES_PER_AD, random_state=0
            ).fit(steps.observations[rows], outcomes[rows])
            leaves = tree.apply(steps.observations)
        names, numbers = np.unique(leaves, return_inverse=True)
        of_ads[:, ad], groups = groups + numbers, groups + len(names)
    return AggregatedStates(is_held_out, of_ads, groups)


def _solve(
    steps: LoggedSteps, states: AggregatedStates, target: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute reward, value and density ratio of each group from the steps that are not held out."""
    used = ~states.is_held_out
    moving, starting = np.flatnonzero(used & steps.continues), np.flatnonzero(used & steps.is_first)
    state = steps.at_logged_ads(states.of_ads).astype(np.int64)
    size = np.bincount(state[used], minlength=states.groups) + PRIOR_STEPS
    starts = np.bincount(states.of_ads[starting].ravel(), target[starting].ravel(), states.groups)

    rewards = np.bincount(state[used], steps.reward[used], states.groups) + PRIOR_STEPS * steps.reward[used].mean()
    moves = np.tile(PRIOR_STEPS * steps.continues[used].mean() * starts / starts.sum(), (states.groups, 1))
    np.add.at(moves, (state[moving, np.newaxis], states.of_ads[moving + 1]), target[moving + 1])

    equations = np.eye(states.groups) - moves / size[:, np.newaxis]
    value = np.linalg.solve(equations, rewards / size)
    visits = np.linalg.solve(equations.T, starts)
    return rewards / size, value, visits / size


def _imbalance(steps: LoggedSteps, density_ratio: FloatArray) -> float:
    observations = steps.observations.astype(np.float64)
    weighted = density_ratio @ observations
    moved = density_ratio[:-1][steps.continues[:-1]] @ observations[1:][steps.continues[:-1]]
    size = np.maximum(density_ratio @ np.abs(observations), np.finfo(float).eps)
    return float((np.abs(observations[steps.is_first].sum(axis=0) + moved - weighted) / size).max(initial=0))


def _snips_of_steps(steps: LoggedSteps, ratio: FloatArray) -> FloatArray:
    """Compute the linearised weighted mean reward of a step times the mean number of steps, per session."""
    if not ratio.any():
        return np.full(steps.sessions, np.nan)
    mean = np.average(steps.reward, weights=ratio)
    return steps.sum_by_session(ratio / ratio.mean() * (steps.reward - mean) + mean)


def _snips_of_sessions(steps: LoggedSteps, products: FloatArray) -> FloatArray:
    """Compute the linearised sum over positions of the weighted mean reward, per session."""
    if not products.any(axis=0).all():
        return np.full(steps.sessions, np.nan)
    rewards = np.zeros_like(products)
    rewards[steps.row, steps.position] = steps.reward
    means = np.average(rewards, axis=0, weights=products)
    return np.asarray((products / products.mean(axis=0) * (rewards - means) + means).sum(axis=1))


def _effective_share(weights: FloatArray) -> float:
    """Compute the effective sample size (Kish 1965) as a share of the log, or return 0 if all weights are 0."""
    squares = float((weights**2).mean())
    return float(weights.mean()) ** 2 / squares if squares else 0.0


def _mean_with_interval(name: str, by_session: FloatArray) -> dict[str, float]:
    mean = float(by_session.mean())
    margin = float(NORMAL_QUANTILE * by_session.std(ddof=1) / np.sqrt(len(by_session)))
    return {name: mean, f"{name}_low": mean - margin, f"{name}_high": mean + margin}
