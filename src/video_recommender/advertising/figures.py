"""The pictures of how agents learn and of what they choose."""

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from plotly.subplots import make_subplots

from video_recommender.schemas import AdChoices, AdLearningCurve

AGENTS_IN_WORDS = {
    "deep_q_network": "deep Q-network",
    "q_table": "Q-learning with a table",
    "lin_ucb": "LinUCB",
}
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")


def learning_curve_figure(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> go.Figure:
    """Draw what each agent would earn per session by how many ads it has tried, and what its learning has cost.

    Args:
        curve: see `AdLearningCurve`, with regret; one agent or more.
        optimal_revenue: what the optimum earns per session.

    Returns:
        Two plots side by side.
    """
    figure = make_subplots(cols=2, subplot_titles=["Revenue per session", "Regret"], horizontal_spacing=0.12)
    for number, (agent, looks) in enumerate(curve.groupby("agent", sort=False)):
        line = {"color": COLOURS[number % len(COLOURS)], "width": 2}
        name = AGENTS_IN_WORDS.get(str(agent), str(agent))
        steps = looks["steps"].tolist()
        for column, values in enumerate(("revenue_per_session", "regret"), start=1):
            drawn = go.Scatter(x=steps, y=_plain(looks[values]), name=name, line=line, showlegend=column == 1)
            figure.add_trace(drawn, row=1, col=column)
    figure.add_hline(optimal_revenue, line={"dash": "dot", "color": "#666"}, annotation_text="optimum", row=1, col=1)
    figure.update_xaxes(title="ads shown while learning")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(
        template="plotly_white",
        title={"text": "How the agent has learnt which ad to show", "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=980,
        height=440,
        legend={"orientation": "h", "y": -0.2},
    )


def choices_figure(choices: DataFrame[AdChoices]) -> go.Figure:
    """Draw how often each ad is shown before videos of each category.

    Args:
        choices: see `AdChoices`.

    Returns:
        A heat map: a row per category, a column per ad that is shown.
    """
    shares = choices.pivot_table(index="category", columns="ad_id", values="share", fill_value=0.0)
    return go.Figure(
        go.Heatmap(
            x=shares.columns.tolist(),
            y=shares.index.tolist(),
            z=[_plain(row) for _, row in shares.iterrows()],
            zmin=0,
            zmax=1,
            colorscale="Blues",
            texttemplate="%{z:.0%}",
            colorbar={"tickformat": ".0%"},
        ),
        go.Layout(
            template="plotly_white",
            title="Share of the ads that the agent shows before videos of each category",
            xaxis={"title": "ad"},
            yaxis={"title": "category of the video", "autorange": "reversed"},
        ),
    )


def _plain(values: pd.Series) -> list[float | None]:
    # Plain lists: as arrays, plotly would write base64 that older readers of the file do not know.
    return [None if pd.isna(value) else round(float(value), 4) for value in values]
