"""The last block of a network, thawed: tuned at a low rate once the head on top of it has learnt its classes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from video_recommender.media.frames import Frames
from video_recommender.networks.head_training import (
    BATCH,
    FittedWeights,
    HeadTraining,
    class_weights,
    read_history,
)
from video_recommender.networks.image_views import Features
from video_recommender.networks.pretrained import KerasModel, copy_network, embedding_network

if TYPE_CHECKING:
    import keras

LAYERS = 4
"""How many layers with a kernel make the last block: in EfficientNet-Lite, the last inverted residual and the 1 × 1
convolution after it."""

Block = tuple[NDArray[np.float32], ...]
"""The weights of the last block, in Keras's order."""


class LastBlock:
    """The end of a network, and what the rest of it, which stays frozen, makes of the training images.

    Batch normalisation keeps the statistics of ImageNet: those of a few images would be worse.

    Args:
        network: as from `build_network`; it is left as it is.
        images: for each image its views, uint8 RGB, shape (views, height, width, 3); the image itself comes first.
    """

    def __init__(self, network: KerasModel, images: Iterable[Frames]) -> None:
        trunk, self._block = split_before_last_block(embedding_network(copy_network(network)))
        self._original = [np.asarray(weight) for weight in self._block.get_weights()]
        # Half precision: the maps of 1,000 images with two views each would take 110 MB otherwise.
        self._maps = np.stack([np.asarray(trunk(views.astype(np.float32)), np.float16) for views in images])

    def tune(
        self,
        fitted: FittedWeights,
        between: list["keras.Layer"],
        labels: NDArray[np.int64],
        chosen: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        how: HeadTraining,
    ) -> FittedWeights:
        """Go on training head and block together.

        Args:
            fitted: the trained head.
            between: frozen layers between the block and the head.
            labels: int64, shape (images,).
            chosen: the images to learn from and those that tell when to stop, each of shape (images,); of the latter,
                there may be none.
            how: see `HeadTraining`.

        Returns:
            The weights of the best epoch; those that it began with if no epoch was better.
        """
        import keras

        training, validation = chosen
        untuned = replace(fitted, best_epochs=(*fitted.best_epochs, 0), block=tuple(self._original))
        if how.epochs == 0:
            return untuned
        keras.utils.set_random_seed(how.seed)
        self._block.set_weights(self._original)
        dense = keras.layers.Dense(len(fitted.bias))
        model = keras.Sequential([self._block, *between, dense])
        model.build((None, *self._maps.shape[2:]))
        dense.set_weights([fitted.weights, fitted.bias])
        model.compile(
            keras.optimizers.Adam(how.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,
        )
        aside = (self._maps[validation, 0].astype(np.float32), labels[validation]) if validation.any() else None
        least = np.inf if aside is None else model.evaluate(*aside, verbose=0)[0]
        stop = keras.callbacks.EarlyStopping(patience=how.patience, restore_best_weights=True)
        tuned = model.fit(
            self._maps[training].reshape(-1, *self._maps.shape[2:]).astype(np.float32),
            np.repeat(labels[training], self._maps.shape[1]),
            validation_data=aside,
            class_weight=class_weights(labels[training]),
            epochs=how.epochs,
            batch_size=BATCH,
            callbacks=[] if aside is None else [stop],
            verbose=0,
        )
        epochs, best_epoch = read_history(tuned.history)
        history = pd.concat([fitted.history, epochs.assign(epoch=epochs["epoch"] + len(fitted.history))])
        if aside is not None and epochs["validation_loss"].min() >= least:
            return replace(untuned, history=history)
        weights, bias = dense.get_weights()
        block = tuple(np.asarray(weight) for weight in self._block.get_weights())
        return FittedWeights(weights, bias, history, (*fitted.best_epochs, best_epoch), block)

    def features(self, block: Block, chosen: NDArray[np.bool_]) -> Features:
        """What the network's last layer looks at once the block has been tuned.

        Args:
            block: the tuned weights.
            chosen: which images, shape (images,).

        Returns:
            float32, shape (chosen images, features): of the images as they are.
        """
        self._block.set_weights(list(block))
        maps = self._maps[chosen, 0].astype(np.float32)
        parts = [np.asarray(self._block(maps[start : start + BATCH])) for start in range(0, len(maps), BATCH)]
        return np.concatenate(parts or [np.empty((0, self._block.output_shape[-1]), np.float32)])


def split_before_last_block(base: KerasModel) -> tuple[KerasModel, KerasModel]:
    """Cut a network in two where a single tensor passes, before its last `LAYERS` layers with a kernel.

    Args:
        base: as from `embedding_network`.

    Returns:
        From pictures to maps, and from maps to the embedding. They share their layers with the network.

    Raises:
        ValueError: if there is no such place.
    """
    import keras

    inner = base.layers[-1] if isinstance(base.layers[-1], keras.Model) else base
    kernels, block = 0, None
    for layer in reversed(inner.layers):
        if kernels >= LAYERS and (block := _network_between(layer.output, inner.output)):
            break
        kernels += getattr(layer, "kernel", None) is not None
    if block is None:
        raise ValueError(
            f"{inner.name} cannot be cut before its last {LAYERS} layers: leave transfer_learning.unfreeze off"
        )
    for part in block.layers:
        part.trainable = not isinstance(part, keras.layers.BatchNormalization)
    trunk = keras.Model(inner.input, layer.output)
    return (trunk if inner is base else keras.Model(base.input, trunk(base.layers[-2].output))), block


def _network_between(start: "keras.KerasTensor", end: "keras.KerasTensor") -> KerasModel | None:
    import keras

    try:
        return keras.Model(start, end, name="last_block")
    except ValueError:  # another path leads around that tensor, such as a shortcut
        return None
