"""Put a trained head on the network that it was trained on."""

from typing import TYPE_CHECKING

from video_recommender.console_output import suppress_stderr
from video_recommender.networks.classification_head import OTHER, ClassificationHead
from video_recommender.networks.last_block import split_before_last_block
from video_recommender.networks.pretrained import KerasModel, copy_network, embedding_network

if TYPE_CHECKING:
    import keras


def put_head_on(network: KerasModel, head: ClassificationHead) -> KerasModel:
    """Replace a network's last layer by a head.

    Args:
        network: as from `build_network`; it is left as it is.
        head: trained on this network, its temperature in its weights.

    Returns:
        A model from RGB, 0 to 255, shape (n, height, width, 3), to the probabilities of `head.output_names`, float32.
    """
    with suppress_stderr():
        import keras

    base = embedding_network(copy_network(network))
    if head.block:
        _trunk, block = split_before_last_block(base)
        block.set_weights(list(head.block))
    classify = keras.layers.Dense(len(head.class_names), activation="softmax", name="class_scores")
    inputs = base.output
    for layer in head.object_points.layers() if head.object_points else ():
        inputs = layer(inputs)
    probabilities = classify(inputs)
    classify.set_weights([head.weights, head.bias])
    outputs = _with_other(probabilities, head) if head.other_threshold > 0 else probabilities
    return keras.Model(base.input, outputs, name=f"{network.name}-finetuned")


def _with_other(probabilities: "keras.KerasTensor", head: ClassificationHead) -> "keras.KerasTensor":
    """As `ClassificationHead.describe` does it: a picture that shows none of the classes is wholly `other`."""
    from keras import ops

    most = ops.max(probabilities, axis=-1, keepdims=True)
    is_other = ops.cast(ops.less(most, head.other_threshold), "float32")
    kept = ops.multiply(probabilities, ops.subtract(1.0, is_other))
    outputs, place = len(head.output_names), head.output_names.index(OTHER)
    kept = ops.pad(kept, [[0, 0], [0, outputs - len(head.class_names)]])
    return ops.add(kept, ops.pad(is_other, [[0, 0], [place, outputs - 1 - place]]))
