import inspect
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from video_recommender.datasets import RecordedPartitionedDataset
from video_recommender.incremental.partitions import Partition, PartitionRecord, Partitions
from video_recommender.media.frames import EncodedFrames
from video_recommender.media.video import VideoBytes, VideoLink

TABLE = pd.DataFrame({"frame": [1, 2], "class_name": ["cat", "dog"], "confidence": [0.5, 1.0]}).astype(
    {"class_name": "str", "confidence": "float32"}
)


def tables_in(folder, **options):
    return RecordedPartitionedDataset(
        path=str(folder), filename_suffix=".parquet", dataset="pandas.ParquetDataset", **options
    )


def frames_in(folder):
    return RecordedPartitionedDataset(path=str(folder), dataset="video_recommender.datasets.FrameFolderDataset")


def videos_in(folder):
    return RecordedPartitionedDataset(
        path=str(folder), filename_suffix=".mp4", dataset="video_recommender.datasets.VideoFileDataset"
    )


def made(content, fingerprint="1", **details):
    return Partition(PartitionRecord(fingerprint, details=details), content)


def failed(fingerprint="1"):
    return Partition(PartitionRecord(fingerprint, status="unreadable", error="no video"))


def everything_in(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def cut_videos(folder, numbers):
    """Bring the frames of some videos up to date, as a stage does; tell which ones were cut."""
    from video_recommender.datasets import RecordedPartitionedDataset
    from video_recommender.incremental.parallel import WorkerOptions
    from video_recommender.incremental.updates import Made, Planned, bring_up_to_date
    from video_recommender.media.frames import EncodedFrames

    cut = []

    def frames_of(number):
        cut.append(number)
        return Made(EncodedFrames(tuple(f"{number}-{frame}".encode() * 500 for frame in range(400))), {"frames": 400})

    frames = RecordedPartitionedDataset(path=str(folder), dataset="video_recommender.datasets.FrameFolderDataset")
    planned = {f"pets/{number}": Planned(f"input {number}", number) for number in numbers}
    here = WorkerOptions(backend="sequential")
    for update in bring_up_to_date(planned, frames.load(), frames_of, here, "Cutting"):
        frames.save(update)
    return cut


@pytest.fixture(scope="module")
def killed_run(tmp_path_factory):
    """What is left of a run over the videos 0 to 3 that was killed when it had written half of the frames of 2."""
    folder = tmp_path_factory.mktemp("killed")
    script = f"{inspect.getsource(cut_videos)}\ncut_videos({str(folder)!r}, range(4))"
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL)
    while not (folder / "pets" / ".part-2" / "200.jpg").exists():
        assert run.poll() is None, "the run ended before it could be killed"
        time.sleep(0.001)
    run.kill()
    run.wait()
    return folder


def test_killed_run_leaves_only_complete_partitions_and_is_taken_up_where_it_was(killed_run, tmp_path):
    folder = shutil.copytree(killed_run, tmp_path / "killed")
    cut_videos(tmp_path / "undisturbed", [0, 1, 2, 3])

    left = frames_in(folder).load()
    redone = cut_videos(folder, [0, 1, 2, 3])

    assert list(left.usable()) == ["pets/0", "pets/1"]
    assert all(len(stored.load().files) == 400 for stored in left.usable().values())
    assert redone == [2, 3]
    assert everything_in(folder) == everything_in(tmp_path / "undisturbed")


def test_videos_that_are_gone_after_a_killed_run_leave_nothing_behind(killed_run, tmp_path):
    folder = shutil.copytree(killed_run, tmp_path / "killed")
    cut_videos(tmp_path / "undisturbed", [0])

    redone = cut_videos(folder, [0])

    assert redone == []
    assert everything_in(folder) == everything_in(tmp_path / "undisturbed")


def test_saving_adds_to_what_is_there_and_reads_back_record_and_content(tmp_path):
    tables = tables_in(tmp_path)

    tables.save({"pets/cat": made(TABLE, "f1", frames=2, title="Süße Katze")})
    tables.save({"pets/v1.2 dog": made(TABLE.iloc[:1], "f2")})

    stored = tables_in(tmp_path).load()
    assert list(stored) == ["pets/cat", "pets/v1.2 dog"]
    assert stored["pets/cat"].record == PartitionRecord("f1", details={"frames": 2, "title": "Süße Katze"})
    pd.testing.assert_frame_equal(stored["pets/cat"].load(), TABLE)
    assert len(stored["pets/v1.2 dog"].load()) == 1


def test_nothing_saved_yet_is_no_partitions(tmp_path):
    tables = tables_in(tmp_path / "none")

    assert len(tables.load()) == 0
    assert not tables.exists()
    assert tables.preview() == {"columns": [], "data": []}


def test_empty_update_changes_nothing(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": made(TABLE)})
    before = everything_in(tmp_path)

    tables.save({})

    assert everything_in(tmp_path) == before


def test_none_deletes_one_partition_and_no_other(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": made(TABLE), "pets/dog": made(TABLE)})

    tables.save({"pets/cat": None, "pets/never-there": None})

    assert everything_in(tmp_path).keys() == {"pets/dog.parquet", ".records/pets/dog.json"}


@pytest.mark.parametrize(
    "update", [None, failed("2"), made(VideoBytes(b"new"), "2")], ids=["delete", "fail", "replace"]
)
def test_target_of_a_link_is_never_touched(tmp_path, update):
    own = tmp_path / "own.webm"
    own.write_bytes(b"irreplaceable")
    videos = videos_in(tmp_path / "videos")
    videos.save({"pets/cat": made(VideoLink(own))})

    videos.save({"pets/cat": update})

    assert own.read_bytes() == b"irreplaceable"
    assert not (tmp_path / "videos" / "pets" / "cat.mp4").is_symlink()


@pytest.mark.parametrize("update", [None, failed(), made(VideoBytes(b"new"))], ids=["delete", "fail", "replace"])
def test_file_that_no_run_has_made_is_never_touched(tmp_path, update):
    own = tmp_path / "pets" / "cat.mp4"
    own.parent.mkdir()
    own.write_bytes(b"irreplaceable")

    with pytest.raises(DatasetError, match="move it to another folder"):
        videos_in(tmp_path).save({"pets/cat": update})

    assert everything_in(tmp_path) == {"pets/cat.mp4": b"irreplaceable"}


def test_video_in_its_own_place_is_not_replaced_by_a_link_to_itself(tmp_path):
    own = tmp_path / "pets" / "cat.mp4"
    own.parent.mkdir()
    own.write_bytes(b"irreplaceable")

    with pytest.raises(DatasetError):
        videos_in(tmp_path).save({"pets/cat": made(VideoLink(own))})

    assert own.read_bytes() == b"irreplaceable"


def test_fewer_frames_leave_no_stale_ones(tmp_path):
    frames = frames_in(tmp_path)

    frames.save({"pets/cat": made(EncodedFrames((b"1", b"2", b"3")))})
    frames.save({"pets/cat": made(EncodedFrames((b"4",)), "2")})

    assert everything_in(tmp_path).keys() == {"pets/cat/1.jpg", ".records/pets/cat.json"}
    assert frames.load()["pets/cat"].load().read().jpegs == (b"4",)


def test_failed_partition_has_a_record_and_loses_its_content(tmp_path):
    frames = frames_in(tmp_path)
    frames.save({"pets/cat": made(EncodedFrames((b"1",)))})

    frames.save({"pets/cat": failed("2")})

    assert frames.load()["pets/cat"].record.status == "unreadable"
    assert everything_in(tmp_path).keys() == {".records/pets/cat.json"}


def test_table_that_breaks_its_schema_is_refused_by_name_and_the_old_one_stays(tmp_path):
    detections = tables_in(tmp_path, schema="video_recommender.schemas.Detections")
    detections.save({"pets/cat": made(TABLE)})

    with pytest.raises(DatasetError, match=r"pets/cat does not fulfil Detections.*confidence"):
        detections.save({"pets/cat": made(TABLE.assign(confidence=TABLE["confidence"] + 1), "2")})

    stored = detections.load()["pets/cat"]
    assert stored.record == PartitionRecord("1")
    pd.testing.assert_frame_equal(stored.load(), TABLE)


def test_content_that_cannot_be_saved_is_not_taken_for_complete(tmp_path):
    frames = frames_in(tmp_path)
    frames.save({"pets/cat": made(EncodedFrames((b"1",)))})

    with pytest.raises(DatasetError, match="bytes-like"):
        frames.save({"pets/cat": made(EncodedFrames((b"2", None)), "2")})

    assert len(frames.load().usable()) == 0
    assert not [name for name in everything_in(tmp_path) if ".part-" in name]


def test_partition_whose_content_is_gone_is_made_again(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": made(TABLE), "pets/dog": made(TABLE), "pets/emu": failed()})

    (tmp_path / "pets" / "cat.parquet").unlink()

    stored = tables.load()
    assert [video_id for video_id in stored if stored.has(video_id, "1")] == ["pets/dog", "pets/emu"]
    assert stored["pets/cat"].record.status == "unfinished"


@pytest.mark.parametrize("content", [b"", b'{"fingerprint": "1", "sta', b'{"unknown": 1}', b"[]"])
def test_damaged_record_counts_as_unfinished(tmp_path, content):
    tables = tables_in(tmp_path)
    tables.save({"pets/cat": made(TABLE)})

    (tmp_path / ".records" / "pets" / "cat.json").write_bytes(content)

    assert tables.load()["pets/cat"].record.status == "unfinished"
    tables.save({"pets/cat": made(TABLE, "2")})
    assert tables.load().has("pets/cat", "2")


def test_fingerprint_tells_whether_any_partition_came_about_differently(tmp_path):
    tables, others = tables_in(tmp_path / "a"), tables_in(tmp_path / "b")
    tables.save({"pets/cat": made(TABLE), "pets/dog": made(TABLE)})
    others.save({"pets/dog": made(TABLE)})
    partly = others.fingerprint()
    others.save({"pets/cat": made(TABLE)})
    same = others.fingerprint()
    others.save({"pets/cat": made(TABLE, "2")})

    assert same == tables.fingerprint()
    assert len({partly, same, others.fingerprint()}) == 3


def test_preview_shows_the_first_records(tmp_path):
    tables = tables_in(tmp_path)
    tables.save({f"pets/{number}": made(TABLE, frames=number) for number in range(3)})

    preview = tables.preview(nrows=2)

    assert preview == {"columns": ["video_id", "status", "frames"], "data": [["pets/0", "ok", 0], ["pets/1", "ok", 1]]}


@pytest.mark.parametrize("name", ["C# and 100% more?", "[old] videos", "with space"])
def test_folder_may_have_any_name(tmp_path, name):
    tables = tables_in(tmp_path / name)

    tables.save({"pets/cat": made(TABLE)})

    pd.testing.assert_frame_equal(tables.load()["pets/cat"].load(), TABLE)
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


def test_folder_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables = tables_in("data/tables")

    tables.save({"pets/cat": made(TABLE)})

    pd.testing.assert_frame_equal(tables.load()["pets/cat"].load(), TABLE)
    assert Path("data/tables/pets/cat.parquet").is_file()


def test_partitions_may_lie_on_another_file_system():
    answers = RecordedPartitionedDataset(path="memory:///recorded", filename_suffix=".json", dataset="json.JSONDataset")

    answers.save({"pets/cat": made({"frames": 1}), "pets/dog": made({"frames": 2})})
    answers.save({"pets/cat": made({"frames": 3}, "2"), "pets/dog": None})

    stored = answers.load()
    assert list(stored) == ["pets/cat"]
    assert stored.has("pets/cat", "2")
    assert stored["pets/cat"].load() == {"frames": 3}


@pytest.mark.parametrize("place", ["tables", "memory:///tables"])
def test_many_tables_read_at_once_are_those_read_one_by_one(tmp_path, place):
    tables = tables_in(place if "://" in place else tmp_path / place)
    tables.save(
        {"pets/a": made(TABLE), "pets/b": made(TABLE.iloc[:0]), "pets/c": failed(), "pets/d": made(TABLE[::-1])}
    )

    stored = tables.load().usable()

    (at_once,), (one_by_one,) = stored.blocks(), Partitions(dict(stored)).blocks()
    pd.testing.assert_frame_equal(at_once, one_by_one)
    assert at_once["video_id"].tolist() == ["pets/a", "pets/a", "pets/d", "pets/d"]
    assert at_once["class_name"].tolist() == ["cat", "dog", "dog", "cat"]


@pytest.mark.parametrize("videos", [[], ["cat", "dog"]], ids=["nothing to do", "two videos"])
def test_generator_node_saves_two_datasets_one_partition_at_a_time(tmp_path, videos):
    seen = []

    def detect(number):
        yield {"pets/gone": None}, {"pets/gone": None}
        for video in videos:
            seen.append(len(everything_in(tmp_path / "left")))
            yield {f"pets/{video}": made(TABLE)}, {f"pets/{video}": made(TABLE.iloc[:number])}

    catalog = DataCatalog(
        {"left": tables_in(tmp_path / "left"), "right": tables_in(tmp_path / "right")}, load_versions=None
    )
    catalog["number"] = 1

    SequentialRunner().run(Pipeline([Node(detect, "number", ["left", "right"], name="detect")]), catalog)

    assert list(catalog.load("left")) == list(catalog.load("right")) == [f"pets/{video}" for video in videos]
    assert all(len(stored.load()) == 1 for stored in catalog.load("right").values())
    assert not seen or seen[-1] > seen[0]
