"""Model card: purpose, training data, quality and limits of the models (Mitchell et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template

WEIGHTS: Final[Mapping[str, str]] = {
    "efficientnet-lite0": "EfficientNet-Lite0, ImageNet, Apache-2.0",
    "efficientnet-lite2": "EfficientNet-Lite2, ImageNet, Apache-2.0",
}
RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % confidence interval.

    Attributes:
        mean: over all videos.
        low: lower limit.
        high: upper limit.
        videos: number of videos.
        groups: number of groups that the videos belong to.
    """

    mean: float
    low: float
    high: float
    videos: int
    groups: int


@dataclass(frozen=True, eq=False)
class ModelCard:
    """The content of the card.

    Attributes:
        network: name of the classifier of frames.
        detector: the detector that describes the corpus.
        corpus: a row per category: `category`, `videos`, `groups`.
        folds: number of cross-validation folds.
        accuracy: of the category of held-out videos; None where it cannot be estimated.
        majority: accuracy of the most frequent category as the prediction; None likewise.
        neighbours: number of recommendations per video.
        precision: share of recommendations of the same category; None likewise.
        precision_other_groups: the same if videos of the same group are excluded; None likewise.
        ads: a row per ad policy with the confidence interval of its revenue.
        licences: number of videos by licence.
    """

    network: str
    detector: str
    corpus: pd.DataFrame
    folds: int
    accuracy: Estimate | None
    majority: float | None
    neighbours: int
    precision: Estimate | None
    precision_other_groups: float | None
    ads: pd.DataFrame
    licences: Mapping[str, int]

    @property
    def weights(self) -> str:
        """Source and licence of the network's weights."""
        return WEIGHTS.get(self.network, f"{self.network} of keras.applications: see there for its licence")


def estimate_mean(values: "pd.Series[float]", groups: "pd.Series[str]", seed: int) -> Estimate | None:
    """Estimate a mean and its interval with a cluster bootstrap over groups (Field and Welsh 2007).

    Args:
        values: one per video.
        groups: of the same videos.
        seed: random seed.

    Returns:
        None with fewer than two groups, which carry no information on the variance between groups.
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


def render_model_card(card: ModelCard) -> str:
    """Render the card as Markdown; the same card gives the same text."""
    return _template().render(card=card)


@cache
def _template() -> Template:
    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    return environment.from_string(files(__package__).joinpath("model_card.md").read_text("utf-8"))
