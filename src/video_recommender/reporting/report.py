"""The report: one self-contained HTML page with text, tables, thumbnails and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined, Template
from plotly.offline import get_plotlyjs

from video_recommender.reporting.examples import CategoryOverview, Extremes


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


def render_report(report: Report) -> str:
    """Render the page as HTML 5; the same report gives the same text."""
    return _template().render(
        report=report, plotly_js=get_plotlyjs(), table=_table, figure=_figure, thumbnails=report.thumbnails
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files(__package__).joinpath("report.html").read_text("utf-8"))


def _table(content: pd.DataFrame) -> str:
    named = content.rename(columns=lambda name: str(name).replace("_", " "))
    return str(named.to_html(index=False, border=0, na_rep="–", float_format="{:.3f}".format, escape=True))


def _figure(figure: go.Figure, name: str) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False}))
