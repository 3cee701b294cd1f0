"""One self-contained HTML page: text, tables, pictures and figures, without anything to load from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined, Template
from plotly.offline import get_plotlyjs

from video_recommender.reporting.extreme_videos import Extremes


@dataclass(frozen=True)
class CategoryOverview:
    """What there is of one category.

    Attributes:
        name: the category; empty for videos without one.
        videos: how many there are.
        usable: how many of them went through.
        frames: how many frames they were cut into.
        examples: some of them.
    """

    name: str
    videos: int
    usable: int
    frames: int
    examples: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows.

    Attributes:
        categories: the corpus.
        problems: `video_id`, `status` and `error` of the videos that did not go through.
        accuracies: by model, how often categories of held-out videos are named right; the best first.
        category_report: how well each category is named.
        confusion_matrix: which category is taken for which.
        named: videos whose category was named well and badly.
        recommendation_report: quality by way to recommend.
        recommendation_comparison: the same as bars.
        recommended: videos with which good and bad ones are recommended.
        ad_policy_report: what the agent and simpler policies earn, also with videos that are new to them.
        ad_choices: which ad the agent shows before videos of which category.
        thumbnails: by video, a `data:` URI.
    """

    categories: tuple[CategoryOverview, ...]
    problems: pd.DataFrame
    accuracies: Mapping[str, float]
    category_report: pd.DataFrame
    confusion_matrix: go.Figure
    named: Extremes
    recommendation_report: pd.DataFrame
    recommendation_comparison: go.Figure
    recommended: Extremes
    ad_policy_report: pd.DataFrame
    ad_choices: pd.DataFrame
    thumbnails: Mapping[str, str]


def render(report: Report) -> str:
    """Write the page.

    Args:
        report: what it shows.

    Returns:
        HTML 5; the same report gives the same text.
    """
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
