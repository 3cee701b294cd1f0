"""Short digests that tell whether work was already done for the very same input."""

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
    """Digest values into 32 hexadecimal digits.

    Args:
        *parts: values that JSON can hold, or pydantic models.

    Returns:
        BLAKE2b (RFC 7693) of their canonical JSON: equal for equal values, on every machine and in every process.
    """
    canonical = json.dumps(parts, default=_plain, sort_keys=True, separators=(",", ":"))
    return fingerprint_bytes(canonical.encode())


def fingerprint_bytes(content: bytes) -> str:
    """Digest raw bytes into 32 hexadecimal digits (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def fingerprint_file(path: Path) -> str:
    """Digest a file's bytes into 32 hexadecimal digits (BLAKE2b, RFC 7693), without holding them in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=DIGEST_BYTES)).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a fingerprint")
