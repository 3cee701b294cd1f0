"""What the models are, what they were made from, how good they are and what they cannot do (Mitchell et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd
from jinja2 import Environment, StrictUndefined, Template

from video_recommender.reporting.intervals import Estimate

WEIGHTS: Mapping[str, str] = {
    "efficientnet-lite0": "EfficientNet-Lite0, ImageNet, Apache-2.0",
    "efficientnet-lite2": "EfficientNet-Lite2, ImageNet, Apache-2.0",
}


@dataclass(frozen=True, eq=False)
class ModelCard:
    """All that the card tells.

    Attributes:
        network: what names the objects in frames.
        detector: which detector's evidence is used.
        corpus: a row per category: `category`, `videos`, `groups`.
        folds: in how many parts the groups were dealt to judge the classifier.
        accuracy: of the category of held-out videos; None where it cannot be told.
        majority: how often always naming the most frequent category is right; None likewise.
        neighbours: how many videos are recommended.
        precision: the share of these that are of the video's category; None likewise.
        precision_other_groups: the same where none of the video's own group may be recommended; None likewise.
        ads: a row per ad policy, with its interval.
        licences: of the videos, by how many have it.
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
        """What the network's weights are and under which licence."""
        return WEIGHTS.get(self.network, f"{self.network} of keras.applications: see there for its licence")


def render_card(card: ModelCard) -> str:
    """Write the card.

    Args:
        card: what it tells.

    Returns:
        Markdown; the same card gives the same text.
    """
    return _template().render(card=card)


@cache
def _template() -> Template:
    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    return environment.from_string(files(__package__).joinpath("model_card.md").read_text("utf-8"))
