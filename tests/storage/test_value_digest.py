from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from video_recommender.storage.digests import value_digest


class Colour(Enum):
    RED = 1
    BLUE = 2


class Options(BaseModel):
    folder: Path
    colour: Colour = Colour.RED


@dataclass
class Item:
    name: str
    options: Options


@dataclass
class Video:
    content: object
    digest: str


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ({"a": [1, 2]}, {"a": [2, 1]}),
        (date(2026, 1, 1), date(2026, 1, 2)),
        (Colour.RED, Colour.BLUE),
        (b"a", b"b"),
        ({"a", "b"}, {"a", "c"}),
        (Path("a"), Path("b")),
        (np.float32(0.5), np.float32(0.25)),
        (Options(folder=Path("a")), Options(folder=Path("b"))),
        (Item("a", Options(folder=Path("a"))), Item("a", Options(folder=Path("b")))),
        (Video(object(), "1"), Video(object(), "2")),
    ],
)
def test_the_digest_differs_if_the_value_differs(value, other):
    assert value_digest(value) == value_digest(value) != value_digest(other)


def test_the_order_of_a_mapping_or_set_does_not_change_the_digest():
    assert value_digest({"a": 1, "b": 2}) == value_digest({"b": 2, "a": 1})
    assert value_digest({1, 2, 3}) == value_digest({3, 2, 1})


def test_a_value_without_a_digest_is_rejected():
    with pytest.raises(TypeError, match="object cannot be part of a fingerprint"):
        value_digest({"a": object()})
