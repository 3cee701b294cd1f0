import pandas as pd
import pytest

from video_recommender.incremental import Partitions, PartitionState
from video_recommender.storage import partitions

FAILED = PartitionState("2", status="unreadable", error="not a video", properties={"frames": 0})


def of_values(*keys, **states):
    return Partitions.from_values({key: key.upper() for key in keys}, states)


def test_partitions_are_in_alphabetical_order():
    assert list(of_values("b", "c", "a")) == ["a", "b", "c"]


def test_only_partitions_with_a_value_are_listed():
    stored = of_values("good", bad=FAILED)

    assert list(stored) == ["good"]
    assert len(stored) == 1
    assert list(stored.states) == ["bad", "good"]
    with pytest.raises(KeyError):
        stored["bad"]


def test_a_value_is_loaded_lazily():
    read = []
    stored = Partitions({"a": PartitionState()}, lambda key: read.append(key) or key)

    load = stored["a"]
    before = list(read)

    assert (before, load(), read) == ([], "a", ["a"])


def test_no_partitions_are_an_empty_mapping():
    assert dict(of_values()) == {}


def test_some_partitions_can_be_selected():
    some = of_values("a", "b", "c", bad=FAILED).restrict(["c", "a", "bad"])

    assert {key: load() for key, load in some.items()} == {"a": "A", "c": "C"}
    assert list(some.states) == ["a", "bad", "c"]


def test_manifest_has_a_row_for_every_partition_with_its_state_and_properties():
    stored = of_values("good", good=PartitionState("1", properties={"frames": 12, "title": "Cat"}), bad=FAILED)

    manifest = stored.manifest(["video", "status", "error", "frames", "title"], key="video")

    assert manifest.to_dict("list") == {
        "video": ["bad", "good"],
        "status": ["unreadable", "ok"],
        "error": ["not a video", ""],
        "frames": [0, 12],
        "title": [pytest.approx(float("nan"), nan_ok=True), "Cat"],
    }


def test_tables_are_read_in_blocks_and_concatenated_with_categorical_text(monkeypatch):
    monkeypatch.setattr(partitions, "PARTITIONS_PER_BLOCK", 2)
    tables = {"a/1": ["cat", "dog"], "a/2": [], "a/3": ["dog", "cat", "emu"]}
    stored = Partitions.from_values(
        {key: pd.DataFrame({"seen": pd.Series(rows, dtype="str")}) for key, rows in tables.items()}
    )

    blocks, table = list(stored.blocks("video")), stored.table(["seen", "video"], "video")

    assert [block["video"].tolist() for block in blocks] == [["a/1"] * 2, ["a/3"] * 3]
    assert table.astype("str").to_dict("list") == {
        "seen": ["cat", "dog", "dog", "cat", "emu"],
        "video": ["a/1"] * 2 + ["a/3"] * 3,
    }
    assert table["seen"].cat.categories.tolist() == ["cat", "dog", "emu"]
    assert of_values().table(["seen"], "video").columns.tolist() == ["seen"]
