"""Digests of values in memory."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import numpy as np

from video_recommender.storage.digests import fingerprint, fingerprint_bytes

AS_TEXT: Final = (PurePath, date, time, timedelta, Decimal, Fraction, UUID, complex)
"""Types whose text is equal if and only if the values are."""


def value_digest(value: Any) -> str:
    """Digest a value in memory: its attribute `digest` if it has one, else its content.

    Args:
        value: a pydantic model, a dataclass, a path, a date, a number, bytes, or what JSON can hold.

    Raises:
        TypeError: if a part of it is of another type.
    """
    digest = getattr(value, "digest", None)
    return digest if isinstance(digest, str) and digest else fingerprint(_plain(value))


def _plain(value: Any) -> Any:
    """Convert a value to what JSON can hold; other types stay, for `fingerprint` to accept or refuse."""
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
