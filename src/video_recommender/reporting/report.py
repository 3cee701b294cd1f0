"""Content and rendering of the report (a self-contained HTML page) and of the model card (Markdown)."""

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
    """Content of the report: tables and plots of the pipelines, and selected videos.

    Attributes:
        problems: `video_id`, `status` and `error` of videos that are not usable.
        accuracies: accuracy on held-out videos (0 to 1) by classifier, best first.
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
    """A mean over videos, its 95 % confidence interval, the number of videos and the number of groups."""

    mean: float
    low: float
    high: float
    videos: int
    groups: int


@dataclass(frozen=True, eq=False)
class ModelCard:
    """Content of the model card (Mitchell et al. 2019); metrics that cannot be estimated are None.

    Attributes:
        corpus: columns `category`, `videos`, `groups`; one row per category.
        accuracy: accuracy of the category classifier on held-out videos.
        majority: accuracy of a baseline that always predicts the most frequent category.
        neighbours: number of recommendations per video.
        precision: share of recommendations with the category of the query.
        precision_other_groups: `precision` without candidates of the query's group.
        ads: the table `ad_policy_report`.
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
        return WEIGHTS.get(self.network, f"{self.network} from keras.applications, which documents its licence")


def estimate_mean(values: "pd.Series[float]", groups: "pd.Series[str]", seed: int) -> Estimate | None:
    """Estimate a mean over videos and its confidence interval.

    Uses a cluster bootstrap over groups (Field and Welsh 2007). Returns None for fewer than two groups.
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
    """Render the report as HTML 5. The output is deterministic."""
    functions = {"table": _table, "figure": _figure}
    return _render("report.html", autoescape=True, report=report, plotly_js=get_plotlyjs(), **functions)


def render_model_card(card: ModelCard) -> str:
    """Render the model card as Markdown. The output is deterministic."""
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
