"""Write a network for LiteRT layer by layer. TensorFlow, which also can, takes seconds to import and more to do it."""

from math import ceil
from typing import Any, Final, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

SCHEMA_VERSION: Final = 3
FILE_IDENTIFIER: Final = b"TFL3"


class Tensor(NamedTuple):
    """What flows between two layers, or a constant.

    Attributes:
        number: which of the graph's tensors.
        shape: pictures are (1, height, width, channels).
    """

    number: int
    shape: tuple[int, ...]


class LiteRTGraph:
    """A network in float32 that grows by a layer with each call (LiteRT's schema: its `schema.fbs`).

    Args:
        name: of the picture that it reads.
        shape: of that picture, (1, height, width, channels).

    Attributes:
        picture: what the first layer reads.
    """

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self._model = schema.ModelT()
        self._model.version = SCHEMA_VERSION
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]  # number 0 is of those tensors that are no constants
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._model.subgraphs = [self._graph]
        self.picture = self._tensor(shape, name)
        self._graph.inputs = [self.picture.number]

    def constant(self, values: NDArray[np.generic] | np.generic) -> Tensor:
        """Add numbers: float32 or int32."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        constant = self._tensor(values.shape)
        tensor = self._graph.tensors[constant.number]
        tensor.buffer = len(self._model.buffers) - 1
        tensor.type = schema.TensorType.INT32 if values.dtype == np.int32 else schema.TensorType.FLOAT32
        return constant

    def multiply(self, tensor: Tensor, other: Tensor) -> Tensor:
        """Multiply number by number."""
        return self._layer("MUL", (tensor, other), tensor.shape, schema.MulOptionsT())

    def add(self, tensor: Tensor, other: Tensor) -> Tensor:
        """Add number by number."""
        return self._layer("ADD", (tensor, other), tensor.shape, schema.AddOptionsT())

    def convolve(
        self, tensor: Tensor, kernel: NDArray[np.float32], bias: NDArray[np.float32], stride: int, *, relu6: bool
    ) -> Tensor:
        """Convolve a picture, with zeros around it.

        Args:
            tensor: the picture.
            kernel: shape (channels of the result, height, width, channels).
            bias: shape (channels of the result,).
            stride: of every how many pixels there is a result.
            relu6: whether the result is cut to 0 … 6.
        """
        options = schema.Conv2DOptionsT()
        return self._convolve("CONV_2D", tensor, (kernel, bias), stride, options, relu6=relu6)

    def convolve_depthwise(
        self, tensor: Tensor, kernel: NDArray[np.float32], bias: NDArray[np.float32], stride: int, *, relu6: bool
    ) -> Tensor:
        """Convolve each channel of a picture by itself.

        Args:
            tensor: the picture.
            kernel: shape (1, height, width, channels).
            bias: shape (channels,).
            stride: of every how many pixels there is a result.
            relu6: whether the result is cut to 0 … 6.
        """
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        return self._convolve("DEPTHWISE_CONV_2D", tensor, (kernel, bias), stride, options, relu6=relu6)

    def average(self, tensor: Tensor) -> Tensor:
        """Average each channel over the whole picture."""
        axes = self.constant(np.array([1, 2], np.int32))
        return self._layer("MEAN", (tensor, axes), (1, tensor.shape[-1]), schema.ReducerOptionsT())

    def connect(self, tensor: Tensor, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> Tensor:
        """Connect all to all; the kernel's shape is (numbers of the result, numbers)."""
        inputs = tensor, self.constant(kernel), self.constant(bias)
        return self._layer("FULLY_CONNECTED", inputs, (1, len(bias)), schema.FullyConnectedOptionsT())

    def soften(self, tensor: Tensor) -> Tensor:
        """Turn scores into probabilities (softmax)."""
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._layer("SOFTMAX", (tensor,), tensor.shape, options)

    def join(self, tensor: Tensor, other: Tensor) -> Tensor:
        """Put one behind the other."""
        options = schema.ConcatenationOptionsT()
        options.axis = -1
        length = tensor.shape[-1] + other.shape[-1]
        return self._layer("CONCATENATION", (tensor, other), (*tensor.shape[:-1], length), options)

    def write(self, output: Tensor) -> bytes:
        """Write the network that gives this output."""
        self._graph.outputs = [output.number]
        builder = flatbuffers.Builder()
        builder.Finish(self._model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _convolve(
        self,
        kind: str,
        tensor: Tensor,
        weights: tuple[NDArray[np.float32], NDArray[np.float32]],
        stride: int,
        options: Any,
        *,
        relu6: bool,
    ) -> Tensor:
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = stride
        if relu6:
            options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        kernel, bias = (self.constant(values) for values in weights)
        batch, height, width, _ = tensor.shape
        shape = batch, ceil(height / stride), ceil(width / stride), *bias.shape
        return self._layer(kind, (tensor, kernel, bias), shape, options)

    def _layer(self, kind: str, inputs: tuple[Tensor, ...], shape: tuple[int, ...], options: Any) -> Tensor:
        output = self._tensor(shape)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._operator_code(getattr(schema.BuiltinOperator, kind))
        operator.inputs, operator.outputs = [tensor.number for tensor in inputs], [output.number]
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators.append(operator)
        return output

    def _operator_code(self, kind: int) -> int:
        known: list[int] = [code.builtinCode for code in self._model.operatorCodes]
        if kind not in known:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = kind
            self._model.operatorCodes.append(code)
            return len(known)
        return known.index(kind)

    def _tensor(self, shape: tuple[int, ...], name: str | None = None) -> Tensor:
        number = len(self._graph.tensors)
        tensor = schema.TensorT()
        tensor.name = name or f"tensor_{number}"
        tensor.shape = list(shape)
        self._graph.tensors.append(tensor)
        return Tensor(number, shape)
