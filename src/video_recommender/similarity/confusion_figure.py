"""Pictures of how well categories are named."""

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.schemas import CategoryPredictions

MOST_NUMBERED = 25
"""With more categories than this, numbers in the cells would be too small to read."""


def confusion_figure(
    category_predictions: DataFrame[CategoryPredictions], of: str = "videos", label: str = "category"
) -> go.Figure:
    """Draw which categories are taken for which.

    Args:
        category_predictions: those with a fold are counted, since their classifier had not seen them.
        of: what has a category, in the plural.
        label: what a category is called, in the singular.

    Returns:
        A heat map: a row per category, a column per predicted category, a cell's colour its share of the row.
    """
    measured = category_predictions[category_predictions["fold"].notna()]
    if measured.empty:
        return _layout(go.Figure(), f"There are too few {of} to measure", label, categories=0)
    categories = sorted(measured["category"].unique())
    counts = pd.crosstab(measured["category"], measured["predicted_category"])
    counts = counts.reindex(index=categories, columns=categories, fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0)
    heat_map = go.Heatmap(
        z=shares.to_numpy().tolist(),
        x=categories,
        y=categories,
        text=counts.to_numpy().tolist(),
        texttemplate="%{text}" if len(categories) <= MOST_NUMBERED else None,
        hovertemplate="%{text} of %{y} (%{z:.0%}) taken for %{x}<extra></extra>",
        colorscale="Blues",
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": "share of row"}, "tickformat": ".0%", "outlinewidth": 0, "thickness": 14},
    )
    right = (measured["category"] == measured["predicted_category"]).mean()
    title = f"{right:.1%} of {len(measured)} held-out {of} named right"
    return _layout(go.Figure(heat_map), title, label, len(categories))


def _layout(figure: go.Figure, title: str, label: str, categories: int) -> go.Figure:
    side = max(440, min(1200, 160 + 90 * categories))
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=side + 140,
        height=side,
        margin={"l": 20, "r": 20, "t": 70, "b": 20},
        xaxis={"title": {"text": f"predicted {label}"}, "type": "category", "showgrid": False, "automargin": True},
        yaxis={
            "title": {"text": label},
            "type": "category",
            "showgrid": False,
            "automargin": True,
            "autorange": "reversed",
        },
    )
    return figure
