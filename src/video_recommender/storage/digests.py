"""Digests of values and files, reproducible across machines and processes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Final, TypeAlias
from uuid import UUID

import numpy as np
from pydantic import BaseModel

Fingerprintable: TypeAlias = (
    BaseModel | Mapping[str, "Fingerprintable"] | Sequence["Fingerprintable"] | str | int | float | bool | None
)

DIGEST_BYTES = 16

AS_TEXT: Final = (PurePath, date, time, timedelta, Decimal, Fraction, UUID, complex)
"""Types whose string representations are equal if and only if the values are equal."""


def fingerprint(*parts: Fingerprintable) -> str:
    """Compute a digest of values.

    Args:
        *parts: JSON values or pydantic models; other types raise a `TypeError`.

    Returns:
        The BLAKE2b digest (RFC 7693) of their canonical JSON, as 32 hexadecimal digits.
    """
    canonical = json.dumps(parts, default=_to_json, sort_keys=True, separators=(",", ":"))
    return fingerprint_bytes(canonical.encode())


def fingerprint_bytes(content: bytes) -> str:
    """Compute the BLAKE2b digest of bytes, as 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def fingerprint_file(path: Path) -> str:
    """Compute the BLAKE2b digest of a file, as 32 hexadecimal digits, in constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=DIGEST_BYTES)).hexdigest()


def value_digest(value: Any) -> str:
    """Return the attribute `digest` of a value if it has one, else compute the digest of its content.

    Args:
        value: a pydantic model, dataclass, path, date, number, bytes or JSON value.

    Raises:
        TypeError: if a part of the value has another type.
    """
    digest = getattr(value, "digest", None)
    return digest if isinstance(digest, str) and digest else fingerprint(_plain(value))


def _plain(value: Any) -> Any:
    """Convert a value to JSON types; values of other types are returned unchanged."""
    plain = value
    if isinstance(value, bytes):
        plain = fingerprint_bytes(value)
    elif isinstance(value, Enum):
        plain = _plain(value.value)
    elif isinstance(value, AS_TEXT):
        plain = str(value)
    elif isinstance(value, np.generic):
        plain = value.item()
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        plain = {"": type(value).__name__, **parts}
    elif isinstance(value, Mapping):
        plain = {str(key): _plain(part) for key, part in value.items()}
    elif isinstance(value, list | tuple):
        plain = [_plain(part) for part in value]
    elif isinstance(value, set | frozenset):
        plain = sorted(fingerprint(_plain(part)) for part in value)
    return plain


def _to_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a fingerprint: pass JSON values or pydantic models")
