"""Digests of values and files, equal on every machine and in every process."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel

Fingerprintable: TypeAlias = (
    BaseModel | Mapping[str, "Fingerprintable"] | Sequence["Fingerprintable"] | str | int | float | bool | None
)

DIGEST_BYTES = 16


def fingerprint(*parts: Fingerprintable) -> str:
    """Compute a digest of values.

    Args:
        *parts: JSON values or pydantic models.

    Returns:
        BLAKE2b (RFC 7693) of their canonical JSON, as 32 hexadecimal digits.
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


def _to_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a fingerprint: pass JSON values or pydantic models")
