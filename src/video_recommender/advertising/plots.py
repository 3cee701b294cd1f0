"""Plots of the learning curves and of the ads that the agent selects."""

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame
from plotly.subplots import make_subplots

from video_recommender.advertising.contextual_bandit import BANDIT
from video_recommender.advertising.deep_q_network import AGENT
from video_recommender.advertising.tabular_q_learning import Q_TABLE
from video_recommender.schemas import AdChoices, AdLearningCurve

LABELS = {AGENT: "deep Q-network", Q_TABLE: "tabular Q-learning", BANDIT: "LinUCB"}
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")


def plot_learning_curve(curve: DataFrame[AdLearningCurve], optimal_revenue: float) -> go.Figure:
    """Plot revenue per session and regret against the number of ads shown during training, a line per agent.

    Args:
        curve: learning curves of all agents, with regret.
        optimal_revenue: revenue per session of the optimum, drawn as a dotted line.
    """
    figure = make_subplots(cols=2, subplot_titles=["Revenue per session", "Regret"], horizontal_spacing=0.12)
    for number, (agent, rows) in enumerate(curve.groupby("agent", sort=False)):
        line = {"color": COLOURS[number % len(COLOURS)], "width": 2}
        name = LABELS.get(str(agent), str(agent))
        for column, values in enumerate(("revenue_per_session", "regret"), start=1):
            trace = go.Scatter(
                x=rows["steps"].tolist(), y=_to_list(rows[values]), name=name, line=line, showlegend=column == 1
            )
            figure.add_trace(trace, row=1, col=column)
    figure.add_hline(optimal_revenue, line={"dash": "dot", "color": "#666"}, annotation_text="optimum", row=1, col=1)
    figure.update_xaxes(title="ads shown during training")
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(
        template="plotly_white",
        title={"text": "Learning curves of the ad agents", "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=980,
        height=440,
        legend={"orientation": "h", "y": -0.2},
    )


def plot_choices(choices: DataFrame[AdChoices]) -> go.Figure:
    """Plot the share of each ad before videos of each category as a heat map: a row per category, a column per ad."""
    shares = choices.pivot_table(index="category", columns="ad_id", values="share", fill_value=0.0)
    return go.Figure(
        go.Heatmap(
            x=shares.columns.tolist(),
            y=shares.index.tolist(),
            z=[_to_list(row) for _, row in shares.iterrows()],
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


def _to_list(values: pd.Series) -> list[float | None]:
    # Lists: plotly would write arrays as base64, which older readers of the JSON file do not support.
    return [None if pd.isna(value) else round(float(value), 4) for value in values]
