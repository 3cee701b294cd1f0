"""Train a new head on what the frozen network has seen, with Keras."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from video_recommender.console_output import suppress_stderr

BATCH = 64
SMALLEST_BATCH = 8
STEPS_PER_EPOCH = 32
"""Where images are few, batches are smaller, so that there are enough steps to learn in."""

DROPOUT = 0.3


@dataclass(frozen=True, eq=False)
class LabelledInputs:
    """What a head sees of images of known classes.

    Attributes:
        inputs: float32, shape (n, views, inputs); the image itself is the first view.
        labels: int64, shape (n,).
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "LabelledInputs":
        return LabelledInputs(self.inputs[chosen], self.labels[chosen])


@dataclass(frozen=True)
class HeadTraining:
    """How a head is trained.

    Attributes:
        epochs: how often each image is seen at most.
        patience: stop after so many epochs without progress on the validation images.
        learning_rate: of Adam (Kingma and Ba 2015, arXiv:1412.6980) at first; it falls to nothing by the last epoch.
        weight_decay: strength of the L2 penalty.
        seed: of initial weights, order and dropout.
    """

    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    seed: int


@dataclass(frozen=True, eq=False)
class FittedWeights:
    """A trained layer and how it came about.

    Attributes:
        weights: float32, shape (inputs, classes).
        bias: float32, shape (classes,).
        history: a row per epoch: `epoch` (from 1), `loss`, `accuracy`, `validation_loss`, `validation_accuracy`; the
            last two are empty without validation images.
        best_epochs: the epoch whose weights were kept; where the last block was tuned too, also how many of those
            epochs were kept.
        block: weights of the tuned last block; empty where it stayed frozen.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    history: pd.DataFrame
    best_epochs: tuple[int, ...]
    block: tuple[NDArray[np.float32], ...] = ()


def train_head(
    training: LabelledInputs, validation: LabelledInputs | None, classes: int, how: HeadTraining
) -> FittedWeights:
    """Train a dense layer on all views, each class counting the same however many images it has.

    Args:
        training: the images to learn from.
        validation: images that tell when to stop, which are not learnt from; None: all epochs are gone through.
        classes: how many there are.
        how: see `HeadTraining`.

    Returns:
        The weights of the best epoch. The same inputs give the same weights.
    """
    with suppress_stderr():
        import keras

    keras.utils.set_random_seed(how.seed)
    images, views, width = training.inputs.shape
    model = keras.Sequential(
        [
            keras.Input((width,)),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(classes, kernel_regularizer=keras.regularizers.L2(how.weight_decay)),
        ]
    )
    batch = max(SMALLEST_BATCH, min(BATCH, images * views // STEPS_PER_EPOCH))
    steps = how.epochs * math.ceil(images * views / batch)
    model.compile(
        # slower and slower (Loshchilov and Hutter 2017, arXiv:1608.03983), so that the weights settle
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(how.learning_rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # XLA compiles for longer than such a small head learns
    )
    stop = keras.callbacks.EarlyStopping(patience=how.patience, restore_best_weights=True)
    fitted = model.fit(
        training.inputs.reshape(images * views, width),
        np.repeat(training.labels, views),
        validation_data=None if validation is None else (validation.inputs[:, 0], validation.labels),
        class_weight=class_weights(training.labels),
        epochs=how.epochs,
        batch_size=batch,
        callbacks=[] if validation is None else [stop],
        verbose=0,
    )
    weights, bias = model.layers[-1].get_weights()
    history, best_epoch = read_history(fitted.history)
    return FittedWeights(weights, bias, history, (best_epoch,))


def class_weights(labels: NDArray[np.int64]) -> dict[int, float]:
    """Weigh each class so that all count the same."""
    present = np.unique(labels)
    return dict(
        zip(present.tolist(), compute_class_weight("balanced", classes=present, y=labels).tolist(), strict=True)
    )


def read_history(history: dict[str, list[float]]) -> tuple[pd.DataFrame, int]:
    """Put what Keras tells of its epochs into a table.

    Returns:
        See `FittedWeights.history`, and the number of the best epoch; the last one where nothing was validated.
    """
    table = pd.DataFrame(
        {
            "epoch": np.arange(1, len(history["loss"]) + 1),
            "loss": history["loss"],
            "accuracy": history["accuracy"],
            "validation_loss": history.get("val_loss", np.nan),
            "validation_accuracy": history.get("val_accuracy", np.nan),
        }
    )
    losses = history.get("val_loss")
    return table, int(np.argmin(losses)) + 1 if losses else len(table)
