"""The state log: compaction, concurrent runs and damaged files."""

import fsspec
import pytest

from video_recommender.incremental import PartitionState, state_log
from video_recommender.incremental.state_log import StateLog

OK = PartitionState("f1", digest="d1", properties={"frames": 12, "title": "Süße", "share": 0.5, "none": None})
FAILED = PartitionState("f1", status="failed", error="KeyError: 'x'", retry=True)


@pytest.fixture(params=["local", "memory"])
def open_log(request, tmp_path):
    """Return a function that opens the same log again, as another process does."""
    folder = f"{tmp_path}/[old] C#/.state"
    filesystem = fsspec.filesystem("file") if request.param == "local" else fsspec.filesystem("memory")
    yield lambda: StateLog(filesystem, folder)
    if request.param == "memory":
        filesystem.store.clear()


def write(log, rows):
    log.append(rows)
    log.flush()


def segments(log):
    return sorted(name for name in log._list())


def test_states_are_read_back_with_all_their_fields(open_log):
    write(open_log(), {"pets/cat": OK, "pets/dog": FAILED, "pets/emu": PartitionState()})

    assert open_log().read() == {"pets/cat": OK, "pets/dog": FAILED, "pets/emu": PartitionState()}


def test_the_last_row_of_a_key_is_its_state_and_none_deletes(open_log):
    log = open_log()
    write(log, {"pets/cat": FAILED, "pets/dog": OK})
    write(log, {"pets/cat": OK, "pets/dog": None})

    assert log.states == open_log().read() == {"pets/cat": OK}


def test_rows_are_not_stored_before_they_are_flushed(open_log):
    log = open_log()
    log.append({"pets/cat": OK})

    assert open_log().read() == {}


def test_a_key_that_is_not_unicode_can_be_stored(open_log):
    write(open_log(), {"pets/\udcff": OK})

    assert open_log().read() == {"pets/\udcff": OK}


def test_unchanged_segments_are_not_read_again(open_log, monkeypatch):
    log = open_log()
    write(log, {"pets/cat": OK})
    monkeypatch.setattr(log, "_fetch", lambda names: pytest.fail("read again"))

    assert log.read() == {"pets/cat": OK}
    write(log, {"pets/dog": OK})
    assert log.read() == {"pets/cat": OK, "pets/dog": OK}


def test_rows_of_concurrent_runs_are_applied_in_the_order_in_which_they_were_written(open_log):
    first, second = open_log(), open_log()
    for status in ("1", "2", "3", "4"):
        write(first, {"a": PartitionState(status=f"first {status}"), "b": PartitionState(status=f"first {status}")})
        second.read()
        write(second, {"a": PartitionState(status=f"second {status}")})
        first.read()
    write(first, {"c": PartitionState(status="first")})
    write(second, {"c": None, "d": PartitionState(status="second")})
    write(first, {"d": PartitionState(status="first 5")})

    states = open_log().read()

    assert {key: state.status for key, state in states.items()} == {"a": "second 4", "b": "first 4", "d": "first 5"}


def test_log_is_compacted_when_most_of_it_is_outdated(open_log, monkeypatch):
    monkeypatch.setattr(state_log, "IDLE_MS", -1000)
    for _ in range(4):
        log = open_log()
        write(log, {f"pets/{number}": OK for number in range(10)})
        write(log, {"pets/gone": FAILED})
        write(log, {"pets/gone": None})
    rows = sum(len(content.splitlines()) for content in log._fetch(segments(log)).values())

    log.compact()
    compacted = sum(len(content.splitlines()) for content in log._fetch(segments(log)).values())

    assert (rows, compacted) == (4 * 15, 11)
    assert log.states == open_log().read() == {f"pets/{number}": OK for number in range(10)}


def test_compacted_log_can_be_written(open_log, monkeypatch):
    monkeypatch.setattr(state_log, "IDLE_MS", -1000)
    log = open_log()
    for _ in range(3):
        write(log, {"pets/cat": FAILED})
    log.compact()
    write(log, {"pets/cat": OK, "pets/dog": OK})

    assert log.read() == open_log().read() == {"pets/cat": OK, "pets/dog": OK}


def test_log_is_compacted_when_many_runs_have_each_added_a_segment(open_log, monkeypatch):
    monkeypatch.setattr(state_log, "IDLE_MS", -1000)
    for number in range(state_log.MAX_SEGMENTS + 1):
        write(open_log(), {f"pets/{number}": OK})
    log = open_log()

    log.compact()

    assert len(segments(log)) == 1
    assert len(open_log().read()) == state_log.MAX_SEGMENTS + 1


def test_log_is_not_compacted_while_another_run_writes_it(open_log):
    other, log = open_log(), open_log()
    for _ in range(5):
        write(other, {"pets/cat": OK})

    log.compact()
    write(other, {"pets/dog": OK})

    assert open_log().read() == {"pets/cat": OK, "pets/dog": OK}


def test_a_run_continues_after_another_run_compacts_its_segment(open_log, monkeypatch):
    monkeypatch.setattr(state_log, "IDLE_MS", -1000)
    idle, other = open_log(), open_log()
    write(idle, {"pets/cat": FAILED, "pets/dog": FAILED})
    for _ in range(5):
        write(other, {"pets/cat": OK, "pets/dog": None})
    other.compact()

    write(idle, {"pets/emu": OK})

    assert open_log().read() == {"pets/cat": OK, "pets/emu": OK}


def test_a_reader_retries_if_the_log_is_compacted_at_the_same_time(open_log, monkeypatch):
    monkeypatch.setattr(state_log, "IDLE_MS", -1000)
    writer, reader = open_log(), open_log()
    for _ in range(5):
        write(writer, {"pets/cat": OK})
    fetch = reader._fetch

    def compacted_meanwhile(names):
        monkeypatch.setattr(reader, "_fetch", fetch)
        writer.compact()
        return fetch(names)

    monkeypatch.setattr(reader, "_fetch", compacted_meanwhile)

    assert reader.read() == {"pets/cat": OK}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.replace(b'"status":"failed"', b'"status":"fai'),
        lambda content: content[: content.index(b'"status"')],
        lambda content: content.replace(b'"retry":true', b'"unknown":true'),
        lambda content: content.replace(b'{"at":', b'{"at":x'),
    ],
    ids=["within a line", "torn at the end", "unknown field", "time of a batch"],
)
def test_a_damaged_line_affects_only_its_partition(open_log, damage):
    write(open_log(), {"pets/cat": OK})
    log = open_log()
    log.read()
    write(log, {"pets/dog": FAILED})
    name = segments(log)[-1]
    log._filesystem.pipe_file(log._path(name), damage(log._fetch([name])[name]))

    states = open_log().read()

    assert states["pets/cat"] == OK
    assert states["pets/dog"].retry


@pytest.mark.parametrize("content", [b"", b"\x00" * 500, b"[]\nnull\n1\n{}\n" + b'{"key":1}\n'])
def test_an_unreadable_segment_affects_no_other_segment(open_log, content):
    log = open_log()
    write(log, {"pets/cat": OK})
    log._filesystem.pipe_file(log._path("000002-damaged.jsonl"), content)
    log._filesystem.pipe_file(log._path("notes.txt"), b"not a segment")

    assert open_log().read() == {"pets/cat": OK}


def test_rows_whose_flush_failed_are_stored_by_the_next_one(open_log, monkeypatch):
    log = open_log()
    write(log, {"pets/cat": OK})
    with monkeypatch.context() as patched:
        patched.setattr(log, "_path", lambda name: "/proc/nowhere" if log._own else name)
        patched.setattr(log._filesystem, "pipe_file", lambda path, content: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match=r"nowhere|full"):
            write(log, {"pets/dog": OK})

    write(log, {"pets/emu": OK})

    assert open_log().read() == {"pets/cat": OK, "pets/dog": OK, "pets/emu": OK}


def test_a_hundred_thousand_partitions_take_fewer_than_a_hundred_files(tmp_path, monkeypatch):
    monkeypatch.setattr(state_log, "IDLE_MS", -1000)
    unfinished = {f"pets/video-number-{number}": FAILED for number in range(100_000)}
    done = dict.fromkeys(unfinished, PartitionState("f" * 32, digest="d" * 32, properties={"frames": 12}))
    filesystem = fsspec.filesystem("file")
    log = StateLog(filesystem, str(tmp_path))
    for rows in (unfinished, done):
        items = list(rows.items())
        for start in range(0, len(items), 20_000):
            write(log, dict(items[start : start + 20_000]))
    log.compact()

    assert len(segments(log)) < 100
    assert StateLog(filesystem, str(tmp_path)).read() == done
