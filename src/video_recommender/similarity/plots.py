"""Plots of classification and recommendation metrics."""

from typing import Final

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.schemas import CategoryPredictions, RecommendationReport

MAX_NUMBERED: Final = 25
"""With more categories, numbers in the cells would be too small to read."""

CANDIDATE_LABELS: Final = {
    "all": "among all videos",
    "other_groups": "without videos that share a photo, a source or an uploader",
}
SYSTEM_LABELS: Final = {
    "object_space": "object space",
    "probabilities": "class probabilities",
    "embeddings": "network embeddings",
    "raw_counts": "raw object counts",
    "titles": "words of the titles",
    "random": "random",
}


def plot_confusion_matrix(
    category_predictions: DataFrame[CategoryPredictions], items: str = "videos", label: str = "category"
) -> go.Figure:
    """Plot a row-normalised confusion matrix of the `items` that were held out, each of which has a `label`."""
    measured = category_predictions[category_predictions["fold"].notna()]
    categories = sorted(measured["category"].unique())
    figure, title = go.Figure(), f"There are too few {items} to measure"
    if categories:
        counts = pd.crosstab(measured["category"], measured["predicted_category"])
        counts = counts.reindex(index=categories, columns=categories, fill_value=0)
        figure.add_heatmap(
            z=counts.div(counts.sum(axis=1), axis=0).to_numpy().tolist(),
            x=categories,
            y=categories,
            text=counts.to_numpy().tolist(),
            texttemplate="%{text}" if len(categories) <= MAX_NUMBERED else None,
            hovertemplate="%{text} of %{y} (%{z:.0%}) predicted as %{x}<extra></extra>",
            colorscale="Blues",
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "share of row"}, "tickformat": ".0%", "outlinewidth": 0, "thickness": 14},
        )
        accuracy = (measured["category"] == measured["predicted_category"]).mean()
        title = f"{accuracy:.1%} of {len(measured)} held-out {items} classified correctly"
    side = max(440, min(1200, 160 + 90 * len(categories)))
    axis = {"type": "category", "showgrid": False, "automargin": True}
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=side + 140,
        height=side,
        margin={"l": 20, "r": 20, "t": 70, "b": 20},
        xaxis=axis | {"title": {"text": f"predicted {label}"}},
        yaxis=axis | {"title": {"text": label}, "autorange": "reversed"},
    )


def plot_precision(report: DataFrame[RecommendationReport]) -> go.Figure:
    """Plot the precision of each recommender, with and without neighbours of the same group; no bar where it is NaN."""
    # lists, because plotly writes arrays as base64, which older readers of the file do not support
    bars = [
        go.Bar(
            name=CANDIDATE_LABELS[str(candidates)],
            x=[SYSTEM_LABELS[system] for system in rows["system"]],
            y=[None if pd.isna(value) else round(value, 4) for value in rows["precision"]],
            texttemplate="%{y:.2f}",
        )
        for candidates, rows in report.groupby("candidates")
    ]
    k = report["neighbours"].max()
    return go.Figure(bars).update_layout(
        title=f"Share of the {k} recommended videos that are of the same category",
        yaxis={"title": f"precision@{k}", "range": [0, 1.05]},
        legend={"orientation": "h", "y": -0.15},
    )
