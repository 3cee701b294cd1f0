"""Many tables are read from few copies, and come as they would from their own files."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.datasets import RecordedPartitionedDataset
from video_recommender.incremental import partitions, table_copies
from video_recommender.incremental.partitions import Partition, PartitionRecord, Partitions


def tables_in(folder):
    return RecordedPartitionedDataset(path=str(folder), filename_suffix=".parquet", dataset="pandas.ParquetDataset")


def table_of(number):
    return pd.DataFrame(
        {
            "class_name": pd.Series([f"class {number}", "dog", "cat"][: number % 5 % 4], dtype="str"),
            "confidence": np.linspace(0, number, number % 5 % 4, dtype="float32"),
            "frame": np.arange(number % 5 % 4),
        }
    )


def made(number, fingerprint="1"):
    return Partition(PartitionRecord(fingerprint), table_of(number))


def copies_in(folder):
    return sorted((folder / ".records" / ".copies").glob("*.arrow"))


def check(folder):
    """All tables are what they are when each is read by itself."""
    stored = tables_in(folder).load()
    read, one_by_one = list(stored.blocks()), list(Partitions(dict(stored)).blocks())
    for block, expected in zip(read, one_by_one, strict=True):
        pd.testing.assert_frame_equal(block, expected)
    columns = ["video_id", "class_name", "confidence"]
    pd.testing.assert_frame_equal(stored.table(columns), Partitions(dict(stored)).table(columns))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Nine videos of two categories, in a project where three are as a thousand."""
    monkeypatch.setattr(partitions, "PARTITIONS_PER_BLOCK", 3)
    monkeypatch.setattr(table_copies, "PARTITIONS_PER_BLOCK", 3)
    videos = [f"{kind}/{number:02}" for kind in ("cars", "pets") for number in range(0, 10, 2)][:9]
    tables_in(tmp_path).save({video_id: made(number) for number, video_id in enumerate(videos)})
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """How many partitions were read from their own files."""
    opened, read = [], table_copies.read_parquet
    monkeypatch.setattr(table_copies, "read_parquet", lambda content: opened.append(1) or read(content))
    return opened


def test_many_tables_are_opened_once_and_come_alike_ever_after(folder, later, opened):
    list(tables_in(folder).load().blocks())
    assert len(opened) == 9

    check(folder)

    assert len(opened) == 9
    assert len(copies_in(folder)) == 3


def test_of_videos_that_were_added_only_these_are_opened(folder, later, opened):
    check(folder)
    opened.clear()

    tables_in(folder).save({"aeroplanes/1": made(3), "cars/03": made(7)})
    list(tables_in(folder).load().blocks())

    assert len(opened) == 2
    check(folder)


def test_videos_that_are_added_one_by_one_come_into_a_copy_once_they_are_many(folder, later, opened):
    check(folder)
    for number in (1, 3, 5):
        tables_in(folder).save({f"pets/{number:02}": made(number)})
        check(folder)
    opened.clear()

    check(folder)

    assert opened == []
    assert len(copies_in(folder)) == 4


def test_few_tables_leave_no_copy(folder, later, monkeypatch):
    monkeypatch.setattr(table_copies, "PARTITIONS_PER_BLOCK", 10)

    check(folder)

    assert copies_in(folder) == []


def test_tables_that_may_change_within_the_same_tick_are_not_copied(folder):
    check(folder)

    assert copies_in(folder) == []


def test_table_that_was_replaced_is_read_anew_even_if_its_record_says_the_same(folder, later):
    check(folder)

    tables_in(folder).save({"cars/02": made(11, "1")})

    check(folder)
    assert "class 11" in tables_in(folder).load().table(["class_name"])["class_name"].cat.categories


def test_table_whose_file_was_exchanged_behind_its_back_is_read_anew(folder, later):
    check(folder)

    table_of(11).to_parquet(folder / "cars" / "02.parquet")

    assert "class 11" in tables_in(folder).load().table(["class_name"])["class_name"].cat.categories


def test_tables_of_videos_that_are_gone_are_not_read(folder, later):
    check(folder)
    tables_in(folder).save({"cars/00": None, "cars/02": Partition(PartitionRecord("2", status="unreadable"))})

    read = tables_in(folder).load().usable().table(["video_id"])

    assert not {"cars/00", "cars/02"} & set(read["video_id"])


def test_copy_of_which_less_than_half_is_true_is_deleted_and_the_rest_copied_again(folder, later, opened):
    check(folder)
    first = copies_in(folder)
    tables_in(folder).save({"cars/00": made(5, "2"), "cars/02": made(6, "2")})

    check(folder)
    opened.clear()
    check(folder)

    assert opened == []
    assert len(copies_in(folder)) == 3
    assert len({*first} - {*copies_in(folder)}) == 1


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-100], lambda content: b"x" * 999])
def test_damaged_copy_is_ignored_and_made_anew(folder, later, damage):
    check(folder)
    wholes = {copy: copy.read_bytes() for copy in copies_in(folder)}
    for copy, content in wholes.items():
        copy.write_bytes(damage(content))

    check(folder)

    assert {copy: copy.read_bytes() for copy in copies_in(folder)} == wholes


def test_copy_that_another_run_deletes_meanwhile_is_done_without(folder, later):
    check(folder)
    reading = tables_in(folder).load().blocks()
    first = next(reading)
    for copy in copies_in(folder):
        copy.unlink()

    read = pd.concat([first, *reading])["video_id"].tolist()

    assert read == tables_in(folder).load().table(["video_id"])["video_id"].tolist()


def test_tables_are_read_where_no_copy_can_be_written(folder, later):
    (folder / ".records" / ".copies").write_text("in the way")

    check(folder)


def test_tables_with_categories_of_their_own_come_with_these(folder, later):
    for number in range(3):
        table = pd.DataFrame({"kind": pd.Categorical(["b"], categories=["a", "b"])})
        tables_in(folder / "kinds").save({f"pets/{number}": Partition(PartitionRecord("1"), table)})

    first, second = (next(tables_in(folder / "kinds").load().blocks()) for _ in range(2))

    pd.testing.assert_frame_equal(first, second)
    assert first["kind"].cat.categories.tolist() == ["a", "b"]
