import pandas as pd
import pytest

from video_recommender.incremental import partitions as module
from video_recommender.incremental.partitions import PartitionRecord, Partitions, StoredPartition


def kept(**fingerprints):
    return Partitions(
        {name: StoredPartition(PartitionRecord(digest), name.upper) for name, digest in fingerprints.items()}
    )


def test_partitions_come_in_alphabetical_order_whatever_order_they_were_found_in():
    assert list(kept(b="1", c="2", a="3")) == ["a", "b", "c"]


def test_only_partitions_with_content_are_usable():
    stored = Partitions(
        {
            "good": StoredPartition(PartitionRecord("1"), str),
            "bad": StoredPartition(PartitionRecord("2", status="unreadable", error="it is no video"), str),
        }
    )

    assert list(stored.usable()) == ["good"]


def test_partition_counts_as_made_only_for_the_very_same_input():
    stored = kept(a="1")

    assert stored.has("a", "1")
    assert not stored.has("a", "2")
    assert not stored.has("b", "1")


def test_partitions_made_together_count_only_where_both_sides_agree():
    together = kept(both="1", left="1", differs="1").made_together_with(kept(both="1", right="1", differs="2"))

    assert together.has("both", "1")
    assert [name for name, stored in together.items() if stored.record.is_ok] == ["both"]


def test_partition_that_one_side_has_lost_is_still_known_so_that_it_can_be_deleted():
    together = kept(left="1").made_together_with(kept(right="1"))

    assert list(together) == ["left", "right"]


def test_content_is_read_only_when_asked_for():
    def read():
        raise OSError("read too early")

    stored = Partitions({"a": StoredPartition(PartitionRecord("1"), read)})

    with pytest.raises(OSError, match="too early"):
        stored.usable()["a"].load()


def test_no_partitions_are_an_empty_mapping():
    assert dict(Partitions()) == {}


def test_tables_of_all_partitions_are_read_in_blocks_and_put_into_one_with_each_name_kept_once(monkeypatch):
    monkeypatch.setattr(module, "PARTITIONS_PER_BLOCK", 2)
    tables = {"a/1": ["cat", "dog"], "a/2": [], "a/3": ["dog", "cat", "emu"]}
    stored = Partitions(
        {
            name: StoredPartition(
                PartitionRecord("1"), lambda rows=rows: pd.DataFrame({"seen": pd.Series(rows, dtype="str")})
            )
            for name, rows in tables.items()
        }
    )

    blocks, table = list(stored.blocks()), stored.table(["seen", "video_id"])

    assert [block["video_id"].tolist() for block in blocks] == [["a/1"] * 2, ["a/3"] * 3]
    assert table.astype("str").to_dict("list") == {
        "seen": ["cat", "dog", "dog", "cat", "emu"],
        "video_id": ["a/1"] * 2 + ["a/3"] * 3,
    }
    assert table["seen"].cat.categories.tolist() == ["cat", "dog", "emu"]
    assert Partitions().table(["seen"]).columns.tolist() == ["seen"]
