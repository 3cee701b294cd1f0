"""The pictures of how well recommending works."""

import pandas as pd
import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.schemas import RecommendationReport

CANDIDATES_IN_WORDS = {
    "all": "among all videos",
    "other_groups": "without videos that share a photo, a source or an uploader",
}
SYSTEMS_IN_WORDS = {
    "object_space": "object space",
    "probabilities": "class probabilities",
    "embeddings": "network embeddings",
    "raw_counts": "raw object counts",
    "titles": "words of the titles",
    "random": "random",
}


def plot_precision(report: DataFrame[RecommendationReport]) -> go.Figure:
    """Draw the precision of each recommender, with and without neighbours of the same group.

    Args:
        report: how good each recommender's lists are.

    Returns:
        Grouped bars; no bar where nothing could be measured.
    """
    # Plain lists: as arrays, plotly would write base64 that older readers of the file do not know.
    bars = [
        go.Bar(
            name=CANDIDATES_IN_WORDS[str(candidates)],
            x=[SYSTEMS_IN_WORDS[system] for system in rows["system"]],
            y=[None if pd.isna(value) else round(value, 4) for value in rows["precision"]],
            texttemplate="%{y:.2f}",
        )
        for candidates, rows in report.groupby("candidates")
    ]
    k = report["neighbours"].max()
    return go.Figure(
        bars,
        go.Layout(
            title=f"Share of the {k} recommended videos that are of the same category",
            yaxis={"title": f"precision@{k}", "range": [0, 1.05]},
            legend={"orientation": "h", "y": -0.15},
        ),
    )
