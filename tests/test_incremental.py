import pytest

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import PartitionRecord, Partitions, StoredPartition
from video_recommender.incremental.updates import Made, Planned, bring_up_to_date
from video_recommender.media.video import VideoError

HERE = WorkerOptions(backend="sequential")


def planned_from(**fingerprints):
    return {name: Planned(digest, name, {"title": name.title()}) for name, digest in fingerprints.items()}


def stored_from(**records):
    return Partitions({name: StoredPartition(record, str) for name, record in records.items()})


def updates_of(planned, stored, make=lambda name: Made(name.upper(), {"frames": 2})):
    deletions, *made = bring_up_to_date(planned, stored, make, HERE, "Testing")
    return deletions, {name: partition for update in made for name, partition in update.items()}


def test_new_partition_is_made_with_what_is_known_before_and_after():
    deletions, made = updates_of(planned_from(cat="1"), Partitions())

    assert deletions == {}
    assert made["cat"].content == "CAT"
    assert made["cat"].record == PartitionRecord("1", details={"title": "Cat", "frames": 2})


def test_only_what_was_made_from_something_else_is_made_again():
    stored = stored_from(same=PartitionRecord("1"), changed=PartitionRecord("1"))

    deletions, made = updates_of(planned_from(same="1", changed="2", new="1"), stored)

    assert deletions == {}
    assert made.keys() == {"changed", "new"}


def test_partition_whose_video_is_gone_is_deleted_before_anything_is_made():
    updates = bring_up_to_date(planned_from(new="1"), stored_from(gone=PartitionRecord("1")), Made, HERE, "Testing")

    assert next(updates) == {"gone": None}


def test_nothing_to_do_is_one_empty_update():
    assert updates_of(planned_from(cat="1"), stored_from(cat=PartitionRecord("1"))) == ({}, {})


def test_unfinished_partition_is_made_again():
    _, made = updates_of(planned_from(cat="1"), stored_from(cat=PartitionRecord("", status="unfinished")))

    assert made["cat"].record.is_ok


def test_failed_video_has_a_record_that_tells_why_and_no_content():
    def refuse(name):
        raise VideoError("unreadable", f"{name} is no video")

    _, made = updates_of(planned_from(cat="1"), Partitions(), refuse)

    assert made["cat"].content is None
    assert made["cat"].record == PartitionRecord("1", "unreadable", "cat is no video", {"title": "Cat"})


def test_unreadable_video_is_tried_again_only_when_its_input_changes():
    stored = stored_from(cat=PartitionRecord("1", status="unreadable", error="no video"))

    _, unchanged = updates_of(planned_from(cat="1"), stored)
    _, changed = updates_of(planned_from(cat="2"), stored)

    assert unchanged == {}
    assert changed.keys() == {"cat"}


@pytest.mark.parametrize("status", ["failed", "crashed"])
def test_what_went_wrong_for_reasons_that_pass_is_tried_again(status):
    stored = stored_from(cat=PartitionRecord("1", status=status, error="no space left on the disk"))

    _, made = updates_of(planned_from(cat="1"), stored)

    assert made["cat"].content == "CAT"
    assert made["cat"].record.is_ok


def test_a_video_that_fails_is_tried_once_per_run_until_it_is_found_unreadable():
    tried = []

    def fail(name):
        tried.append(name)
        raise OSError("no space left on the disk") if len(tried) < 3 else VideoError("unreadable", "no video")

    stored = Partitions()
    for _ in range(5):
        _, made = updates_of(planned_from(cat="1"), stored, fail)
        stored = Partitions({**stored, **{name: StoredPartition(new.record, str) for name, new in made.items()}})

    assert len(tried) == 3
    assert stored["cat"].record.status == "unreadable"
