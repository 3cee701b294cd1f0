"""The picture of how a head has learnt."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

LINES = {
    "loss": (1, "images learnt from", "#4c78a8"),
    "validation_loss": (1, "images that tell when to stop", "#f58518"),
    "accuracy": (2, "images learnt from", "#4c78a8"),
    "validation_accuracy": (2, "images that tell when to stop", "#f58518"),
}


def learning_figure(history: pd.DataFrame) -> go.Figure:
    """Draw loss and accuracy by epoch: a thin line per fold, a thick one for the mean while all of them learn.

    Args:
        history: a row per fold and epoch: `fold`, `epoch`, `loss`, `accuracy`, `validation_loss`,
            `validation_accuracy`.

    Returns:
        Two plots side by side; empty ones where no fold was held out.
    """
    figure = make_subplots(cols=2, subplot_titles=["Loss", "Accuracy"], horizontal_spacing=0.1)
    for name, (column, words, colour) in LINES.items() if len(history) else ():
        for _fold, epochs in history.groupby("fold"):
            _draw(figure, column, epochs["epoch"], epochs[name], {"color": colour, "width": 1}, opacity=0.3)
        all_learn = history["epoch"] <= history.groupby("fold")["epoch"].max().min()
        mean = history[all_learn].groupby("epoch")[name].mean()
        line = {"color": colour, "width": 3}
        _draw(figure, column, mean.index, mean, line, name=words, showlegend=column == 1)
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(rangemode="tozero", col=1)
    figure.update_yaxes(tickformat=".0%", col=2)
    title = (
        f"How the new head has learnt, {history['fold'].nunique()} folds" if len(history) else "No fold was held out"
    )
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=980,
        height=440,
        legend={"orientation": "h", "y": -0.2},
    )


def _draw(
    figure: go.Figure,
    column: int,
    epochs: pd.Series | pd.Index,
    values: pd.Series,
    line: dict[str, object],
    **how: object,
) -> None:
    # Plain lists: as arrays, plotly would write base64 that older readers of the file do not know.
    drawn = [None if pd.isna(value) else round(float(value), 4) for value in values]
    figure.add_trace(
        go.Scatter(x=list(epochs), y=drawn, mode="lines", line=line, **{"showlegend": False, **how}), row=1, col=column
    )
