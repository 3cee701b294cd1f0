"""A log of sessions as a Markov chain: what ads are worth under another policy, and where that policy would be.

A regression tree per ad puts logged situations together in which the ad pays and ends sessions alike. Sessions move
between such cells; what they earn and where they come is then known in closed form. Every cell is an average of what
was logged, so that nothing can diverge, as linear functions may do off policy (Gordon 1995; Ernst, Geurts and Wehenkel
2005).

What is said of a session was learnt from sessions of other folds (cross-fitting; Chernozhukov et al. 2018).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.schemas import ROUNDING_LIMIT

FOLDS = 5
LEAST_STEPS_PER_CELL = 25
MOST_CELLS_PER_AD = 64
PRIOR_STEPS = 1.0
"""So many steps like the average one, which lead on to where sessions begin, are added to each cell: so that sessions
can end from everywhere."""


@dataclass(frozen=True, eq=False)
class LoggedSteps:
    """Whole sessions of a log, a step per ad shown, ordered by session and step.

    Attributes:
        session: the number of the session, int64, shape (steps,), ascending.
        ads: the ad that was shown, int64, shape (steps,).
        propensity: how probably it was shown, float64, shape (steps,).
        reward: what it earned, float64, shape (steps,).
        observed: what was seen of the session before it, float32, shape (steps, observed).

    Raises:
        ValueError: if a propensity is no probability above 0, steps are out of order, or there are too few sessions.
    """

    session: IntArray
    ads: IntArray
    propensity: FloatArray
    reward: FloatArray
    observed: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not ((self.propensity > 0) & (self.propensity <= ROUNDING_LIMIT)).all():
            raise ValueError("A propensity of the log is not above 0 and at most 1: log how probable each shown ad was")
        if (np.diff(self.session) < 0).any():
            raise ValueError("The steps of the log are out of order: sort them by session and step")
        if self.sessions < 2 * FOLDS:
            raise ValueError(f"The log has {self.sessions} session(s): judging a policy takes at least {2 * FOLDS}")

    @cached_property
    def is_first(self) -> NDArray[np.bool_]:
        """Whether the step is its session's first, shape (steps,)."""
        return np.insert(np.diff(self.session) != 0, 0, True) if len(self.session) else np.zeros(0, bool)

    @cached_property
    def goes_on(self) -> NDArray[np.bool_]:
        """Whether the session has another step, shape (steps,)."""
        return ~np.append(self.is_first[1:], True)

    @cached_property
    def row(self) -> IntArray:
        """The session of each step, counted from 0, shape (steps,)."""
        return np.asarray(np.cumsum(self.is_first) - 1)

    @cached_property
    def position(self) -> IntArray:
        """How many steps the session had before, shape (steps,)."""
        return np.asarray(np.arange(len(self.session)) - np.flatnonzero(self.is_first)[self.row])

    @cached_property
    def sessions(self) -> int:
        """How many there are."""
        return int(self.is_first.sum())

    def of_shown(self, by_ad: NDArray[np.generic]) -> FloatArray:
        """Pick what belongs to the ad that was shown from an array of shape (steps, ads)."""
        return np.asarray(by_ad[np.arange(len(self.ads)), self.ads])

    def total(self, amounts: FloatArray) -> FloatArray:
        """Add up amounts of shape (steps,) by session, shape (sessions,)."""
        return np.bincount(self.row, amounts, self.sessions).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Cells:
    """Situations put together by trees that have not seen the sessions of one fold.

    Attributes:
        is_unseen: whether the step is of that fold, bool, shape (steps,).
        of_ads: the cell of each ad in each step, int64, shape (steps, ads); no two ads share a cell.
        count: how many cells there are.
    """

    is_unseen: NDArray[np.bool_]
    of_ads: IntArray
    count: int


@dataclass(frozen=True, eq=False)
class ChainEstimates:
    """What is said of a target policy in each logged step, by cells that have not seen the session.

    Attributes:
        reward: what each ad earns by itself, float64, shape (steps, ads).
        value: what each ad and, under the target policy, the rest of the session earn, float64, shape (steps, ads).
        visits: how often the target policy would show the logged ad in such situations, divided by how often the log
            has done so, float64, shape (steps,).
        imbalance: by how much the target policy would come to other situations than the visits tell, as a share of
            what is observed in these: 0 if it would not, above 1 if to what the log hardly knows, such as an ad that is
            shown many times in a row.
    """

    reward: FloatArray
    value: FloatArray
    visits: FloatArray
    imbalance: float


def grow_cells(steps: LoggedSteps, ads: int) -> tuple[Cells, ...]:
    """Put situations together in which an ad pays and ends sessions alike.

    Args:
        steps: the log.
        ads: how many ads there are.

    Returns:
        Cells for each fold.
    """
    outcomes = np.column_stack([steps.reward, steps.goes_on])
    outcomes = outcomes / np.maximum(outcomes.std(axis=0), np.finfo(float).eps)
    return tuple(_grow_without(steps.row % FOLDS == fold, steps, outcomes, ads) for fold in range(FOLDS))


def solve_chain(steps: LoggedSteps, folds: tuple[Cells, ...], target: FloatArray) -> ChainEstimates:
    """Work out what the target policy would earn and where it would be, if cells were all that matters.

    Args:
        steps: the log.
        folds: cells for each fold.
        target: how probably the target policy would show each ad, shape (steps, ads).

    Returns:
        See `ChainEstimates`.
    """
    reward, value, visits = (np.empty(target.shape) for _ in range(3))
    for cells in folds:
        of_unseen = cells.of_ads[cells.is_unseen]
        for estimates, by_cell in zip((reward, value, visits), _solve(steps, cells, target), strict=True):
            estimates[cells.is_unseen] = by_cell[of_unseen]
    shown = steps.of_shown(visits)
    return ChainEstimates(reward, value, shown, _imbalance(steps, shown))


def _grow_without(is_unseen: NDArray[np.bool_], steps: LoggedSteps, outcomes: FloatArray, ads: int) -> Cells:
    of_ads, count = np.empty((len(is_unseen), ads), np.int64), 0
    for ad in range(ads):
        rows = ~is_unseen & (steps.ads == ad)
        leaves = np.zeros(len(is_unseen), np.int64)  # an ad that was not shown has one cell, of which nothing is known
        if rows.any():
            tree = DecisionTreeRegressor(
                min_samples_leaf=LEAST_STEPS_PER_CELL, max_leaf_nodes=MOST_CELLS_PER_AD, random_state=0
            ).fit(steps.observed[rows], outcomes[rows])
            leaves = tree.apply(steps.observed)
        names, numbers = np.unique(leaves, return_inverse=True)
        of_ads[:, ad], count = count + numbers, count + len(names)
    return Cells(is_unseen, of_ads, count)


def _solve(steps: LoggedSteps, cells: Cells, target: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Reward, value and visits of each cell, from the steps that its trees have seen."""
    seen = ~cells.is_unseen
    moving, beginning = np.flatnonzero(seen & steps.goes_on), np.flatnonzero(seen & steps.is_first)
    cell = steps.of_shown(cells.of_ads).astype(np.int64)
    size = np.bincount(cell[seen], minlength=cells.count) + PRIOR_STEPS
    begins = np.bincount(cells.of_ads[beginning].ravel(), target[beginning].ravel(), cells.count)

    rewards = np.bincount(cell[seen], steps.reward[seen], cells.count) + PRIOR_STEPS * steps.reward[seen].mean()
    moves = np.tile(PRIOR_STEPS * steps.goes_on[seen].mean() * begins / begins.sum(), (cells.count, 1))
    np.add.at(moves, (cell[moving, np.newaxis], cells.of_ads[moving + 1]), target[moving + 1])

    equations = np.eye(cells.count) - moves / size[:, np.newaxis]
    value = np.linalg.solve(equations, rewards / size)
    visits = np.linalg.solve(equations.T, begins)
    return rewards / size, value, visits / size


def _imbalance(steps: LoggedSteps, visits: FloatArray) -> float:
    """Compare what is observed in the situations that are visited with what is where sessions begin or move on to."""
    observed = steps.observed.astype(np.float64)
    visited, moved = visits @ observed, visits[:-1][steps.goes_on[:-1]] @ observed[1:][steps.goes_on[:-1]]
    size = np.maximum(visits @ np.abs(observed), np.finfo(float).eps)
    return float((np.abs(observed[steps.is_first].sum(axis=0) + moved - visited) / size).max(initial=0))
