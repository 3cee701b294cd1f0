"""Many records are read from one copy, and never as they were before a change."""

import os
from pathlib import Path

import pandas as pd
import pytest

from video_recommender.datasets import RecordedPartitionedDataset
from video_recommender.incremental import record_copy
from video_recommender.incremental.partitions import Partition, PartitionRecord

VIDEOS = 4


def tables_in(folder):
    return RecordedPartitionedDataset(path=str(folder), filename_suffix=".csv", dataset="pandas.CSVDataset")


def made(fingerprint="1", **details):
    return Partition(PartitionRecord(fingerprint, details=details), pd.DataFrame({"frame": [1]}))


def records_of(folder):
    return {video_id: stored.record for video_id, stored in tables_in(folder).load().items()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two categories of videos, in a project where so few are many."""
    monkeypatch.setattr(record_copy, "COPIED_FROM", VIDEOS)
    tables_in(tmp_path).save({f"{kind}/{number}": made(title="Süße") for kind in ("cars", "pets") for number in (1, 2)})
    return tmp_path


@pytest.fixture
def copy(folder, later):
    """The file of the copy that was made when all were listed."""
    records_of(folder)
    return folder / ".records" / ".copies" / "records.json"


def opened_while_listing(folder, monkeypatch):
    opened, read = [], Path.read_bytes
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", lambda file: opened.append(file.name) or read(file))
        records_of(folder)
    return sorted(set(opened) - {"records.json"})


def test_many_records_are_opened_once_and_told_alike_ever_after(folder, later, monkeypatch):
    first, digest = records_of(folder), tables_in(folder).fingerprint()

    assert opened_while_listing(folder, monkeypatch) == []
    assert records_of(folder) == first
    assert list(first) == ["cars/1", "cars/2", "pets/1", "pets/2"]
    assert first["pets/1"] == PartitionRecord("1", details={"title": "Süße"})
    assert tables_in(folder).fingerprint() == digest


def test_of_videos_that_were_added_only_these_are_opened(folder, copy, monkeypatch):
    tables_in(folder).save({"pets/3": made("3")})

    assert opened_while_listing(folder, monkeypatch) == ["3.json"]
    assert records_of(folder)["pets/3"].fingerprint == "3"


def test_few_records_leave_no_copy(folder, later, monkeypatch):
    monkeypatch.setattr(record_copy, "COPIED_FROM", VIDEOS + 1)

    records_of(folder)

    assert not (folder / ".records" / ".copies").exists()


def test_records_that_may_change_within_the_same_tick_are_not_copied(folder):
    records_of(folder)

    assert not (folder / ".records" / ".copies").exists()


def replace(folder):
    tables_in(folder).save({"pets/1": made("2")})


def replace_at_the_same_time(folder):
    record = folder / ".records/pets/1.json"
    told = record.stat()
    replace(folder)
    os.utime(record, ns=(told.st_atime_ns, told.st_mtime_ns))


def edit_in_place_at_the_same_time(folder):
    record = folder / ".records/pets/1.json"
    told = record.stat()
    record.write_bytes(record.read_bytes().replace(b'"1"', b'"2"'))
    os.utime(record, ns=(told.st_atime_ns, told.st_mtime_ns))


@pytest.mark.parametrize("change", [replace, replace_at_the_same_time, edit_in_place_at_the_same_time])
def test_record_that_was_replaced_is_never_told_as_it_was(folder, copy, change):
    before = tables_in(folder).fingerprint()

    change(folder)

    assert records_of(folder)["pets/1"].fingerprint == "2"
    assert tables_in(folder).fingerprint() != before


def test_content_that_is_gone_behind_its_back_is_lost(folder, copy):
    (folder / "pets/1.csv").unlink()

    assert records_of(folder)["pets/1"].status == "unfinished"


def test_record_that_is_damaged_later_counts_as_unfinished(folder, copy):
    (folder / ".records/pets/1.json").write_bytes(b'{"finger')

    assert records_of(folder)["pets/1"].status == "unfinished"


def test_videos_and_records_that_are_gone_are_not_told(folder, copy):
    tables_in(folder).save({"pets/1": None})
    (folder / ".records/cars/2.json").unlink()

    assert list(records_of(folder)) == ["cars/1", "pets/2"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"states": {}, "con', b'{"states": {"pets/1": ""}, "contents": {}}'])
def test_damaged_copy_is_ignored_and_made_anew(folder, copy, content):
    whole, before = copy.read_bytes(), records_of(folder)
    copy.write_bytes(content)

    assert records_of(folder) == before
    assert copy.read_bytes() == whole


def test_copy_may_be_deleted(folder, copy):
    before = records_of(folder)
    copy.unlink()

    assert records_of(folder) == before
    assert copy.exists()


def test_records_are_told_where_no_copy_can_be_written(folder, later):
    (folder / ".records" / ".copies").write_text("in the way")

    assert len(records_of(folder)) == VIDEOS
