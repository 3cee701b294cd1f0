"""What the partitioned dataset stores, and which files it never changes."""

import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from kedro.io import AbstractDataset, DatasetError
from object_store import BUCKET, object_store
from pandera.pandas import Check, Column, DataFrameSchema

from video_recommender.incremental import Partition, Partitions, PartitionState, StatefulPartitionedDataset
from video_recommender.incremental.partitioned_dataset import CONFLICT
from video_recommender.storage.partitions import UNFINISHED

TABLE = pd.DataFrame({"frame": [1, 2], "class_name": ["cat", "dog"], "confidence": [0.5, 1.0]}).astype(
    {"class_name": "str", "confidence": "float32"}
)

CONFIDENT = DataFrameSchema({"confidence": Column("float32", Check.le(1))})


class FolderDataset(AbstractDataset):
    """A folder with one numbered file per item."""

    def __init__(self, *, filepath, credentials=None):
        self.path = Path(filepath)

    def load(self):
        return [file.read_bytes() for file in sorted(self.path.iterdir())]

    def save(self, data):
        self.path.mkdir()
        for number, item in enumerate(data):
            (self.path / str(number)).write_bytes(item)

    def _describe(self):
        return {}


class LinkDataset(FolderDataset):
    """A link to a user's file, or a file."""

    def load(self):
        return self.path.read_bytes()

    def save(self, data):
        self.path.symlink_to(data) if isinstance(data, Path) else self.path.write_bytes(data)


def tables_in(folder, **options):
    return StatefulPartitionedDataset(
        path=str(folder), filename_suffix=".parquet", dataset="pandas.ParquetDataset", **options
    )


def folders_in(folder):
    return StatefulPartitionedDataset(path=str(folder), dataset={"type": FolderDataset})


def links_in(folder):
    return StatefulPartitionedDataset(path=str(folder), filename_suffix=".mp4", dataset={"type": LinkDataset})


def partition_of(value, fingerprint="1", **properties):
    return Partition(PartitionState(fingerprint, properties=properties), value)


def failed(fingerprint="1"):
    return Partition(PartitionState(fingerprint, status="unreadable", error="not a video"))


def files_in(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and ".state" not in file.parts
    }


def statuses(dataset):
    return {key: state.status for key, state in dataset.load().states.items()}


def test_save_adds_partitions_and_load_returns_their_states_and_values(tmp_path):
    tables = tables_in(tmp_path)

    tables.save({"pets/cat": partition_of(TABLE, "f1", frames=2, title="Süße Katze")})
    tables.save({"pets/v1.2 dog": partition_of(TABLE.iloc[:1], "f2")})

    stored = tables_in(tmp_path).load()
    assert list(stored) == ["pets/cat", "pets/v1.2 dog"]
    state = stored.states["pets/cat"]
    assert (state.fingerprint, state.properties, len(state.digest)) == ("f1", {"frames": 2, "title": "Süße Katze"}, 32)
    pd.testing.assert_frame_equal(stored["pets/cat"](), TABLE)
    assert len(stored["pets/v1.2 dog"]()) == 1


def test_a_dataset_that_was_never_saved_has_no_partitions(tmp_path):
    tables = tables_in(tmp_path / "none")

    assert len(tables.load()) == 0
    assert not tables.exists()
    assert tables.preview() == {"columns": [], "data": []}


def test_empty_update_changes_nothing(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": TABLE})
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    tables.save({})

    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_none_deletes_only_its_partition(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": TABLE, "pets/dog": TABLE})

    tables.save({"pets/cat": None, "pets/missing": None})

    assert files_in(tmp_path).keys() == {"pets/dog.parquet"}
    assert list(tables_in(tmp_path).load().states) == ["pets/dog"]


@pytest.mark.parametrize("update", [None, failed("2"), partition_of(b"new", "2")], ids=["delete", "fail", "replace"])
def test_the_target_of_a_link_is_never_changed(tmp_path, update):
    own = tmp_path / "own.webm"
    own.write_bytes(b"irreplaceable")
    videos = links_in(tmp_path / "videos")
    videos.save({"pets/cat": partition_of(own)})

    videos.save({"pets/cat": update})

    assert own.read_bytes() == b"irreplaceable"
    assert not (tmp_path / "videos" / "pets" / "cat.mp4").is_symlink()


@pytest.mark.parametrize("update", [None, failed(), partition_of(b"new")], ids=["delete", "fail", "replace"])
def test_a_file_that_no_run_created_is_never_changed(tmp_path, update):
    own = tmp_path / "pets" / "cat.mp4"
    own.parent.mkdir()
    own.write_bytes(b"irreplaceable")

    for change in (update, update, None, update):
        links_in(tmp_path).save({"pets/cat": change})

    assert files_in(tmp_path) == {"pets/cat.mp4": b"irreplaceable"}
    assert statuses(links_in(tmp_path)) == ({} if update is None else {"pets/cat": CONFLICT})


def test_a_conflict_is_reported_and_is_resolved_when_the_file_is_moved(tmp_path, caplog):
    own = tmp_path / "pets" / "cat.mp4"
    own.parent.mkdir()
    own.write_bytes(b"irreplaceable")
    videos = links_in(tmp_path)
    videos.save({"pets/cat": partition_of(b"new")})
    conflict = videos.load().states["pets/cat"]

    own.rename(tmp_path / "own.mp4")
    videos.save({"pets/cat": partition_of(b"new")})

    assert conflict.retry
    assert "move it to another folder" in conflict.error
    assert "cat.mp4" in caplog.text
    assert videos.load()["pets/cat"]() == b"new"


def test_a_smaller_folder_has_no_old_files(tmp_path):
    frames = folders_in(tmp_path)

    frames.save({"pets/cat": [b"1", b"2", b"3"]})
    first = frames.load().states["pets/cat"].digest
    frames.save({"pets/cat": [b"4"]})

    assert files_in(tmp_path) == {"pets/cat/0": b"4"}
    assert frames.load()["pets/cat"]() == [b"4"]
    assert frames.load().states["pets/cat"].digest != first


def test_failed_partition_has_a_state_and_loses_its_value(tmp_path):
    frames = folders_in(tmp_path)
    frames.save({"pets/cat": [b"1"]})

    frames.save({"pets/cat": failed("2")})

    assert statuses(frames) == {"pets/cat": "unreadable"}
    assert files_in(tmp_path) == {}


def test_a_table_that_does_not_satisfy_the_schema_is_rejected_and_the_previous_one_is_kept(tmp_path, monkeypatch):
    schema = ModuleType("schemas_of_a_project")
    schema.Confident = type("Confident", (), {"validate": CONFIDENT.validate})
    monkeypatch.setitem(sys.modules, schema.__name__, schema)
    tables = tables_in(tmp_path, schema="schemas_of_a_project.Confident")
    tables.save({"pets/cat": partition_of(TABLE)})
    before = tables.load().states

    with pytest.raises(DatasetError, match=r"pets/cat does not satisfy .*confidence"):
        tables.save(
            {
                "pets/dog": partition_of(TABLE),
                "pets/cat": partition_of(TABLE.assign(confidence=TABLE["confidence"] + 1), "2"),
            }
        )

    assert tables.load().states == before
    pd.testing.assert_frame_equal(tables.load()["pets/cat"](), TABLE)


def test_a_value_that_cannot_be_saved_is_unfinished_and_others_are_complete(tmp_path):
    frames = folders_in(tmp_path)
    frames.save({"pets/cat": [b"1"]})

    with pytest.raises(DatasetError, match="bytes-like"):
        frames.save({"pets/ant": [b"3"], "pets/cat": [b"2", None]})

    assert statuses(frames) == {"pets/ant": "ok", "pets/cat": "unfinished"}
    assert not [name for name in files_in(tmp_path) if ".part-" in name or ".old-" in name]


def test_a_partition_whose_file_was_deleted_is_retried(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": TABLE, "pets/dog": TABLE, "pets/emu": failed()})

    (tmp_path / "pets" / "cat.parquet").unlink()

    assert list(tables.load()) == ["pets/dog"]
    assert tables.load().states["pets/cat"].retry
    assert not tables.load().states["pets/emu"].retry


def test_temporary_files_of_a_killed_run_are_deleted_when_the_partition_is_replaced_or_deleted(tmp_path):
    killed = folders_in(tmp_path)
    killed.save({"pets/dog": [b"1"]})
    killed.begin(["pets/cat", "pets/dog", "pets/emu"])
    for name in (f".part-{killed.store.run}-cat", f".part-{killed.store.run}-emu", f".old-{killed.store.run}-dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "0").write_bytes(b"half")

    folders_in(tmp_path).save({"pets/cat": [b"2"], "pets/dog": [b"3"], "pets/emu": None})

    assert files_in(tmp_path) == {"pets/cat/0": b"2", "pets/dog/0": b"3"}


def test_two_runs_can_save_the_same_partition_at_the_same_time(tmp_path):
    first, second = folders_in(tmp_path), folders_in(tmp_path)
    save = FolderDataset.save

    def save_with_other_run(self, data):
        save(self, data)
        if data == [b"first"]:
            second.store.discard("pets/cat", first.store.run)
            second.save({"pets/cat": [b"second"]})
            data.append(b"again")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FolderDataset, "save", save_with_other_run)
        first.save({"pets/cat": [b"first"]})

    assert statuses(folders_in(tmp_path)) == {"pets/cat": "ok"}
    assert folders_in(tmp_path).load()["pets/cat"]() == [b"first", b"again"]


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", ".hidden", "pets/.state", "pets//cat", ""])
def test_a_key_outside_the_folder_is_rejected(tmp_path, key):
    with pytest.raises(DatasetError, match="cannot be the key of a partition"):
        tables_in(tmp_path / "tables").save({key: TABLE})


def test_key_that_is_not_unicode_can_be_stored(tmp_path):
    folders_in(tmp_path).save({"pets/\udcff": [b"1"]})

    assert {key: load() for key, load in folders_in(tmp_path).load().items()} == {"pets/\udcff": [b"1"]}


def test_fingerprints_are_equal_only_if_all_values_and_properties_are(tmp_path):
    tables, others = tables_in(tmp_path / "a"), tables_in(tmp_path / "b")
    tables.save({"pets/cat": partition_of(TABLE), "pets/dog": partition_of(TABLE)})
    others.save({"pets/dog": partition_of(TABLE, "other input, same result")})
    partly = others.fingerprint()
    others.save({"pets/cat": partition_of(TABLE)})
    same = others.fingerprint()
    others.save({"pets/cat": partition_of(TABLE, frames=3)})

    assert same == tables.fingerprint()
    assert len({partly, same, others.fingerprint()}) == 3


def test_preview_shows_the_first_states(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({f"pets/{number}": partition_of(TABLE, frames=number) for number in range(3)})

    preview = tables.preview(nrows=2)

    assert preview == {"columns": ["key", "status", "frames"], "data": [["pets/0", "ok", 0], ["pets/1", "ok", 1]]}


@pytest.mark.parametrize("name", ["C# and 100% more?", "[old] videos", "with space"])
def test_folders_and_keys_can_have_any_name(tmp_path, name):
    tables = tables_in(tmp_path / name)

    tables.save({name: TABLE, "other": TABLE})

    pd.testing.assert_frame_equal(tables.load()[name](), TABLE)
    assert [len(block) for block in tables.load().blocks("key")] == [4]
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


def test_the_folder_can_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = tables_in("data/tables")

    tables.save({"pets/cat": TABLE})

    pd.testing.assert_frame_equal(tables.load()["pets/cat"](), TABLE)
    assert Path("data/tables/pets/cat.parquet").is_file()


@pytest.fixture(scope="module")
def s3():
    with object_store() as store:
        yield store


@pytest.fixture(params=["disk", "memory", "s3"])
def root_url(request, tmp_path):
    """The URL of an empty folder on a disk or in an object store."""
    if request.param == "disk":
        return str(tmp_path)
    if request.param == "memory":
        return f"memory://{tmp_path}"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}{tmp_path}"


def test_partitions_can_be_on_a_disk_or_in_an_object_store(root_url):
    answers = StatefulPartitionedDataset(
        path=f"{root_url}/[new] answers", filename_suffix=".json", dataset="json.JSONDataset"
    )
    answers.save({"pets/cat": {"frames": 1}, "pets/ca*": {"frames": 2}, "pets/dog": {"frames": 3}})
    answers.save({"pets/cat": partition_of({"frames": 4}, "2"), "pets/ca*": None})

    stored = answers.load()

    assert list(stored) == ["pets/cat", "pets/dog"]
    assert stored.states["pets/cat"].fingerprint == "2"
    assert {key: load() for key, load in stored.items()} == {"pets/cat": {"frames": 4}, "pets/dog": {"frames": 3}}


def test_the_digest_depends_only_on_the_content(root_url):
    def digest_of(value, key="pets/cat"):
        answers = StatefulPartitionedDataset(path=root_url, filename_suffix=".json", dataset="json.JSONDataset")
        answers.save({key: value})
        return answers.load().states[key].digest

    assert digest_of({"a": 1}) == digest_of({"a": 1}) == digest_of({"a": 1}, "other") != digest_of({"a": 2})


def test_changes_by_another_machine_are_visible(root_url):
    here, there = tables_in(f"{root_url}/t"), tables_in(f"{root_url}/t")
    here.save({f"pets/{number}": pd.DataFrame({"n": [number]}) for number in range(3)})
    earlier = list(here.load())

    there.save({"pets/0": None, "pets/3": pd.DataFrame({"n": [3]})})

    assert earlier == ["pets/0", "pets/1", "pets/2"]
    assert {key: load()["n"].tolist() for key, load in here.load().items()} == {
        "pets/1": [1],
        "pets/2": [2],
        "pets/3": [3],
    }


def test_deleted_and_foreign_files_are_detected(root_url):
    tables = tables_in(f"{root_url}/t")
    tables.save({"pets/cat": TABLE})
    tables.store.delete("pets/cat")
    tables.store.write("pets/dog", TABLE)

    tables.save({"pets/dog": TABLE.iloc[:1]})

    assert statuses(tables) == {"pets/cat": UNFINISHED.status, "pets/dog": CONFLICT}
    assert len(tables.store.load("pets/dog")) == 2


def test_tables_read_at_once_equal_tables_read_one_by_one(root_url):
    tables = tables_in(f"{root_url}/t [1]")
    tables.save({"pets/a": TABLE, "pets/b": TABLE.iloc[:0], "pets/c": failed(), "pets/d": TABLE[::-1]})

    stored = tables.load()

    (at_once,), (one_by_one,) = stored.blocks("video"), Partitions(stored.states, stored.load).blocks("video")
    pd.testing.assert_frame_equal(at_once, one_by_one)
    assert at_once["video"].tolist() == ["pets/a", "pets/a", "pets/d", "pets/d"]
    assert at_once["class_name"].tolist() == ["cat", "dog", "dog", "cat"]
