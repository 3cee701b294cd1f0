import hashlib
import os
import subprocess
import sys
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from video_recommender.storage.digests import fingerprint, fingerprint_bytes, fingerprint_file


class Source(BaseModel):
    folder: Path
    rate: Fraction
    nested: dict[str, int]


SOURCE = Source(folder=Path("/my videos"), rate=Fraction(30000, 1001), nested={"b": 1, "a": 2})
ELSEWHERE = """
from fractions import Fraction
from pathlib import Path
from pydantic import BaseModel
from video_recommender.storage.digests import fingerprint
class Source(BaseModel):
    nested: dict[str, int]
    rate: Fraction
    folder: Path
print(fingerprint(Source(nested={"a": 2, "b": 1}, rate=Fraction(30000, 1001), folder=Path("/my videos")), "x", 3))
"""
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_fingerprint_is_the_same_in_another_process_and_for_another_order_of_fields(hash_seed):
    answer = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == fingerprint(SOURCE, "x", 3)


def test_the_fingerprint_is_stable_across_releases():
    canonical = b'[1,"ok",{"frames":[1,2.5,null],"title":"caf\\u00e9"}]'

    digest = fingerprint(1, "ok", {"title": "café", "frames": [1, 2.5, None]})

    assert digest == hashlib.blake2b(canonical, digest_size=16).hexdigest()


@pytest.mark.parametrize(
    "change", [{"folder": Path("/other videos")}, {"rate": Fraction(30)}, {"nested": {"a": 2, "b": 2}}]
)
def test_the_fingerprint_differs_if_any_field_of_a_model_differs(change):
    assert fingerprint(SOURCE.model_copy(update=change)) != fingerprint(SOURCE)


def test_fingerprint_does_not_join_neighbouring_parts():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint(["a"], "b") != fingerprint("a", ["b"])


def test_the_fingerprint_accepts_any_mapping():
    plain = {"b": 1, "a": {"c": [1]}}

    assert fingerprint(MappingProxyType(plain)) == fingerprint(plain) == fingerprint(OrderedDict(sorted(plain.items())))


@given(plain_values)
def test_fingerprint_of_a_plain_value_is_32_hexadecimal_digits_and_repeatable(plain_value):
    digest = fingerprint(plain_value)

    assert len(digest) == 32
    assert int(digest, 16) >= 0
    assert digest == fingerprint(plain_value)


def test_a_value_without_a_canonical_form_is_rejected():
    with pytest.raises(TypeError, match="object cannot be part of a fingerprint"):
        fingerprint(object())


def test_file_has_the_fingerprint_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "video.mp4").write_bytes(content)

    assert fingerprint_file(tmp_path / "video.mp4") == fingerprint_bytes(content)
    assert fingerprint_bytes(content) != fingerprint_bytes(content[:-1])
