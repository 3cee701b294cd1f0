"""Training of a classification head with Keras, calibration, and learning curves."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.utils.class_weight import compute_class_weight

from video_recommender.console_output import suppress_stderr

MAX_BATCH: Final = 64
MIN_BATCH: Final = 8
MIN_STEPS_PER_EPOCH: Final = 32  # batches are smaller if an epoch would have fewer steps
DROPOUT: Final = 0.3
PATIENCE: Final = 10
"""Epochs without a lower validation loss before training stops."""

LOG_TEMPERATURE_BOUNDS: Final = (-7.0, 3.0)
"""Logarithms of 0.001 and 20. The range starts low, because strongly regularised heads have small logits."""

CALIBRATION_BINS: Final = 15
LINES: Final = {
    "loss": (1, "training images", "#4c78a8"),
    "validation_loss": (1, "validation images", "#f58518"),
    "accuracy": (2, "training images", "#4c78a8"),
    "validation_accuracy": (2, "validation images", "#f58518"),
}
"""Mapping from columns of the history to the column of the plot, the legend and the colour."""


@dataclass(frozen=True)
class HeadHyperparameters:
    """Hyperparameters of training with Adam (Kingma and Ba 2015, arXiv:1412.6980)."""

    epochs: int  # maximum number
    learning_rate: float  # initial value
    weight_decay: float  # strength of the L2 penalty
    seed: int  # for initial weights, order and dropout


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A trained layer; see `ClassificationHead`.

    Attributes:
        history: one row per epoch, with `epoch` (1-based), `loss`, `accuracy`, `validation_loss` and
            `validation_accuracy`. The last two columns are NaN without validation images.
        best_epoch: the epoch (1-based) whose weights are kept.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    history: pd.DataFrame
    best_epoch: int


def train_head(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    training: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    hyperparameters: HeadHyperparameters,
) -> FittedHead:
    """Train a dense layer on all views, with class weights, and keep the weights of the best epoch.

    Args:
        inputs: float32, shape (images, views, inputs); the first view is the image itself.
        labels: 0-based index of each image's class, shape (images,).
        training: mask of the training images, shape (images,).
        validation: mask of the images for early stopping. If it selects no image, all epochs are trained.
        hyperparameters: hyperparameters of the training. The same seed and inputs give the same weights.
    """
    with suppress_stderr():
        import keras

    keras.utils.set_random_seed(hyperparameters.seed)
    decay = hyperparameters.weight_decay
    images, (_, views, width) = np.count_nonzero(training), inputs.shape
    model = keras.Sequential(
        [
            keras.Input((width,)),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(int(labels.max()) + 1, kernel_regularizer=keras.regularizers.L2(decay)),
        ]
    )
    batch = max(MIN_BATCH, min(MAX_BATCH, images * views // MIN_STEPS_PER_EPOCH))
    steps = hyperparameters.epochs * math.ceil(images * views / batch)
    model.compile(
        # Cosine annealing: Loshchilov and Hutter 2017, arXiv:1608.03983.
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(hyperparameters.learning_rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # compiling with XLA takes longer than training a small head
    )
    early_stopping = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    fitted = model.fit(
        inputs[training].reshape(images * views, width),
        np.repeat(labels[training], views),
        validation_data=(inputs[validation, 0], labels[validation]) if validation.any() else None,
        class_weight=balanced_class_weights(labels[training]),
        epochs=hyperparameters.epochs,
        batch_size=batch,
        callbacks=[early_stopping] if validation.any() else [],
        verbose=0,
    )
    weights, bias = (variable.value.numpy() for variable in model.layers[-1].weights)
    history = pd.DataFrame(
        {
            "epoch": np.arange(1, len(fitted.epoch) + 1),
            "loss": fitted.history["loss"],
            "accuracy": fitted.history["accuracy"],
            "validation_loss": fitted.history.get("val_loss", np.nan),
            "validation_accuracy": fitted.history.get("val_accuracy", np.nan),
        }
    )
    best_epoch = int(history["validation_loss"].argmin()) + 1 if validation.any() else len(history)
    return FittedHead(weights, bias, history, best_epoch)


def balanced_class_weights(labels: NDArray[np.int64]) -> dict[int, float]:
    """Return the weight of each class, inversely proportional to its number of images."""
    classes = np.unique(labels)
    weights = compute_class_weight("balanced", classes=classes, y=labels)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Fit the divisor of the logits that minimises the negative log-likelihood (Guo et al. 2017, arXiv:1706.04599).

    The logits have the shape (n, classes), and the labels have the shape (n,). Without images, the temperature is 1.
    """
    if not len(labels):
        return 1.0
    scores, rows = logits.astype(np.float64), np.arange(len(labels))

    def negative_log_likelihood(log_temperature: float) -> float:
        return float(-log_softmax(scores / np.exp(log_temperature), axis=1)[rows, labels].mean())

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=LOG_TEMPERATURE_BOUNDS, method="bounded").x))


def find_rejection_threshold(rejection_rate: float, logits: NDArray[np.floating]) -> float:
    """Find the confidence below which this share of held-out images lies (Hendrycks and Gimpel 2017).

    The logits must be calibrated and have the shape (n, classes). Without images, the threshold is 0.
    """
    if not (rejection_rate and len(logits)):
        return 0.0
    return float(np.quantile(softmax(logits.astype(np.float64), axis=1).max(axis=1), rejection_rate))


def expected_calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Compute the expected calibration error, 0 to 1, of probabilities, shape (n, classes) (Naeini et al. 2015)."""
    confidences = probabilities.max(axis=1)
    gaps = (probabilities.argmax(axis=1) == labels) - confidences
    bins = np.minimum((confidences * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return float(np.abs(np.bincount(bins, gaps, minlength=CALIBRATION_BINS)).sum() / len(labels))


def learning_curve_figure(history: pd.DataFrame) -> go.Figure:
    """Plot loss and accuracy by epoch, with one thin line per fold and a thick line for the mean over common epochs."""
    figure = make_subplots(cols=2, subplot_titles=["Loss", "Accuracy"], horizontal_spacing=0.1)
    for name, (column, legend, colour) in LINES.items() if len(history) else ():
        for _fold, epochs in history.groupby("fold"):
            line = {"color": colour, "width": 1}
            _add_line(figure, column, epochs.set_index("epoch")[name], line=line, opacity=0.3, showlegend=False)
        in_all_folds = history["epoch"] <= history.groupby("fold")["epoch"].max().min()
        mean = history[in_all_folds].groupby("epoch")[name].mean()
        line = {"color": colour, "width": 3}
        _add_line(figure, column, mean, line=line, name=legend, showlegend=column == 1)
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(rangemode="tozero", col=1)
    figure.update_yaxes(tickformat=".0%", col=2)
    title = f"Training of the new head, {history['fold'].nunique()} folds" if len(history) else "No held-out images"
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=980,
        height=440,
        legend={"orientation": "h", "y": -0.2},
    )


def _add_line(figure: go.Figure, column: int, values: pd.Series, **options: object) -> None:
    # Values are lists, because plotly writes arrays as base64, which older readers do not support.
    rounded = [None if pd.isna(value) else round(float(value), 4) for value in values]
    figure.add_trace(go.Scatter(x=list(values.index), y=rounded, mode="lines", **options), row=1, col=column)
