"""What an agent has lived through lately, to learn from more than once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from video_recommender.advertising.viewer_model import IntArray


@dataclass(frozen=True, eq=False)
class Transitions:
    """Ads that were shown and what came of them. The first axis of every array is the ad shown.

    Attributes:
        observed: before the ad, float32, shape (n, observed).
        ads: the number of the ad, int64, shape (n,).
        rewards: what it earned, float32, shape (n,).
        goes_on: 1 where another ad can be shown in the session, else 0; float32, shape (n,).
        next_observed: before the next ad, float32, shape (n, observed).
    """

    observed: NDArray[np.float32]
    ads: IntArray
    rewards: NDArray[np.float32]
    goes_on: NDArray[np.float32]
    next_observed: NDArray[np.float32]


class ReplayMemory:
    """A ring buffer: the newest transition takes the place of the oldest (Lin 1992).

    Args:
        size: how many transitions are kept.
        observed: how many numbers an observation has.
    """

    def __init__(self, size: int, observed: int) -> None:
        self._kept = Transitions(
            observed=np.empty((size, observed), np.float32),
            ads=np.empty(size, np.int64),
            rewards=np.empty(size, np.float32),
            goes_on=np.empty(size, np.float32),
            next_observed=np.empty((size, observed), np.float32),
        )
        self._size = size
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self._size)

    def add(self, lived: Transitions) -> None:
        """Remember transitions, not more than the memory holds."""
        rows = np.arange(self._added, self._added + len(lived.ads)) % self._size
        for name, kept in vars(self._kept).items():
            kept[rows] = getattr(lived, name)
        self._added += len(rows)

    def sample(self, count: int, rng: np.random.Generator) -> Transitions:
        """Draw transitions, all equally probably, the same one perhaps more than once."""
        rows = rng.integers(len(self), size=count)
        return Transitions(**{name: kept[rows] for name, kept in vars(self._kept).items()})
