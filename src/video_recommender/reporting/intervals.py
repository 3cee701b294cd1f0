"""How far a measured mean may be from the true one, where videos of one group resemble each other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval.

    Attributes:
        mean: over all videos.
        low: lower end of the 95 % interval.
        high: upper end.
        videos: how many videos it is about.
        groups: how many groups these belong to.
    """

    mean: float
    low: float
    high: float
    videos: int
    groups: int


def estimate_mean(values: "pd.Series[float]", groups: "pd.Series[str]", seed: int) -> Estimate | None:
    """Find the mean and an interval by drawing whole groups anew (cluster bootstrap, Field and Welsh 2007).

    Args:
        values: one per video.
        groups: of the same videos.
        seed: where chance begins.

    Returns:
        None where there are fewer than two groups: these tell nothing of how much groups differ.
    """
    table = pd.DataFrame({"value": values.to_numpy(np.float64), "group": groups.to_numpy()})
    sums = table.groupby("group")["value"].agg(["sum", "size"]).to_numpy(np.float64)
    if len(sums) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    totals, sizes = sums[drawn].sum(axis=1).T
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(totals / sizes, [tail, 1 - tail])
    return Estimate(float(table["value"].mean()), float(low), float(high), len(table), len(sums))
