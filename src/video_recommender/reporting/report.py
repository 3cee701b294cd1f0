"""The report, a self-contained HTML page, and the model card in Markdown: their content and how it is rendered."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from video_recommender.reporting.examples import CategoryOverview, Extremes

WEIGHTS: Final[Mapping[str, str]] = {
    "efficientnet-lite0": "EfficientNet-Lite0, ImageNet, Apache-2.0",
    "efficientnet-lite2": "EfficientNet-Lite2, ImageNet, Apache-2.0",
}
RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, eq=False)
class Report:
    """The content of the page.

    Attributes:
        categories: the corpus.
        problems: `video_id`, `status` and `error` of videos that are not usable.
        accuracies: accuracy on held-out videos by model, best first.
        category_report: precision and recall per category.
        confusion_matrix: figure.
        classified: the most confident right and wrong predictions.
        recommendation_report: quality per recommender.
        recommendation_comparison: the same as a bar chart.
        recommended: the best and worst lists of recommendations.
        ad_policy_report: revenue per policy, on all videos and on unseen ones.
        ad_choices: the ad that the agent shows, by category.
        thumbnails: `data:` URI by `video_id`.
    """

    categories: tuple[CategoryOverview, ...]
    problems: pd.DataFrame
    accuracies: Mapping[str, float]
    category_report: pd.DataFrame
    confusion_matrix: go.Figure
    classified: Extremes
    recommendation_report: pd.DataFrame
    recommendation_comparison: go.Figure
    recommended: Extremes
    ad_policy_report: pd.DataFrame
    ad_choices: pd.DataFrame
    thumbnails: Mapping[str, str]


@dataclass(frozen=True)
class Estimate:
    """A mean over videos with its 95 % confidence interval, and the number of videos and of their groups."""

    mean: float
    low: float
    high: float
    videos: int
    groups: int


@dataclass(frozen=True, eq=False)
class ModelCard:
    """The content of the card (Mitchell et al. 2019).

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
    """Estimate a mean over videos and its interval with a cluster bootstrap over groups (Field and Welsh 2007).

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


def render_report(report: Report) -> str:
    """Render the page as HTML 5; the same report gives the same text."""
    functions = {"table": _table, "figure": _figure}
    return _render("report.html", autoescape=True, report=report, plotly_js=get_plotlyjs(), **functions)


def render_model_card(card: ModelCard) -> str:
    """Render the card as Markdown; the same card gives the same text."""
    return _render("model_card.md", autoescape=False, card=card)


def _render(template: str, *, autoescape: bool, **content: Any) -> str:
    environment = Environment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(files(__package__).joinpath(template).read_text("utf-8")).render(content)


def _table(content: pd.DataFrame) -> str:
    named = content.rename(columns=lambda name: str(name).replace("_", " "))
    return str(named.to_html(index=False, border=0, na_rep="–", float_format="{:.3f}".format, escape=True))


def _figure(figure: go.Figure, name: str) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False}))
