import json

import pandas as pd
import pytest
from kedro.io import CachedDataset, DatasetError, MemoryDataset, Version
from kedro.validation import DataValidationError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import ParquetDataset
from kedro_datasets.pickle import PickleDataset

from video_recommender.datasets import FrameFolderDataset, OptionalDataset, WheelPhotosDataset
from video_recommender.datasets.atomic_catalog import AtomicCatalog, staged_dataset
from video_recommender.media.frames import EncodedFrames

TABLE = pd.DataFrame({"video_id": ["pets/cat"], "rank": [1]})
KINDS = {
    "parquet": (ParquetDataset, "table.parquet", TABLE, TABLE.assign(rank=2), object()),
    "json": (JSONDataset, "metrics.json", {"accuracy": 0.5}, {"accuracy": 0.75}, {"accuracy": object()}),
    "pickle": (PickleDataset, "model.pickle", [1, 2], [3], lambda: None),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    dataset, name, first, second, unsavable = KINDS[request.param]
    return dataset(filepath=f"{tmp_path}/{name}"), first, second, unsavable


def names_in(folder):
    return sorted(file.name for file in folder.rglob("*"))


def as_plain(content):
    return content.to_dict() if isinstance(content, pd.DataFrame) else content


def test_saved_content_is_loaded_and_no_temporary_file_remains(kind, tmp_path):
    dataset, first, second, _ = kind
    catalog = AtomicCatalog({"made": dataset})

    catalog.save("made", first)
    catalog.save("made", second)

    assert as_plain(catalog.load("made")) == as_plain(second)
    assert len(names_in(tmp_path)) == 1


def test_previous_content_is_kept_if_a_save_fails(kind, tmp_path):
    dataset, first, _, unsavable = kind
    catalog = AtomicCatalog({"made": dataset})
    catalog.save("made", first)

    with pytest.raises(DatasetError):
        catalog.save("made", unsavable)

    assert as_plain(catalog.load("made")) == as_plain(first)
    assert len(names_in(tmp_path)) == 1


def test_no_file_exists_after_a_failed_first_save(kind, tmp_path):
    dataset, _, _, unsavable = kind
    catalog = AtomicCatalog({"made": dataset})

    with pytest.raises(DatasetError):
        catalog.save("made", unsavable)

    assert not catalog.exists("made")
    assert names_in(tmp_path) == []


def test_previous_content_is_visible_until_the_new_content_is_complete(tmp_path):
    path = tmp_path / "metrics.json"
    dataset = JSONDataset(filepath=str(path))
    dataset.save({"run": 1})

    with staged_dataset(dataset) as staged:
        staged.save({"run": 2})
        seen = json.loads(path.read_text())

    assert seen == {"run": 1}
    assert json.loads(path.read_text()) == {"run": 2}


def test_folder_is_replaced_as_a_whole(tmp_path):
    catalog = AtomicCatalog({"frames": FrameFolderDataset(filepath=f"{tmp_path}/frames")})

    catalog.save("frames", EncodedFrames((b"1", b"2", b"3")))
    catalog.save("frames", EncodedFrames((b"4",)))

    assert names_in(tmp_path) == ["1.jpg", "frames"]
    assert [file.read_bytes() for file in catalog.load("frames").files] == [b"4"]


def test_a_previous_folder_is_kept_if_a_save_fails(tmp_path):
    catalog = AtomicCatalog({"frames": FrameFolderDataset(filepath=f"{tmp_path}/frames")})
    catalog.save("frames", EncodedFrames((b"1", b"2")))

    with pytest.raises(DatasetError):
        catalog.save("frames", EncodedFrames((b"3", None)))

    assert [file.read_bytes() for file in catalog.load("frames").files] == [b"1", b"2"]
    assert names_in(tmp_path) == ["1.jpg", "2.jpg", "frames"]


def test_files_of_a_killed_save_are_removed(tmp_path):
    (tmp_path / ".part-frames").mkdir()
    (tmp_path / ".part-frames" / "9.jpg").write_bytes(b"stale")
    (tmp_path / ".old-frames").mkdir()
    catalog = AtomicCatalog({"frames": FrameFolderDataset(filepath=f"{tmp_path}/frames")})

    catalog.save("frames", EncodedFrames((b"1",)))

    assert names_in(tmp_path) == ["1.jpg", "frames"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda file: CachedDataset(JSONDataset(filepath=file)),
        lambda file: OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": file}),
    ],
    ids=["cached", "optional"],
)
def test_a_save_to_a_wrapped_dataset_is_atomic(tmp_path, wrap):
    catalog = AtomicCatalog({"made": wrap(f"{tmp_path}/made.json")})
    catalog.save("made", {"run": 1})

    with pytest.raises(DatasetError):
        catalog.save("made", {"run": object()})

    assert json.loads((tmp_path / "made.json").read_text()) == {"run": 1}
    assert names_in(tmp_path) == ["made.json"]


def test_cached_content_is_that_of_the_last_save(tmp_path):
    catalog = AtomicCatalog({"made": CachedDataset(JSONDataset(filepath=f"{tmp_path}/made.json"))})
    loaded = []
    for run in (1, 2):
        catalog.save("made", {"run": run})
        loaded.append(catalog.load("made"))

    assert loaded == [{"run": 1}, {"run": 2}]


def test_arguments_and_validator_of_the_catalog_apply(tmp_path):
    entry = {
        "type": "pandas.CSVDataset",
        "filepath": f"{tmp_path}/images.csv",
        "save_args": {"index": False, "sep": ";"},
        "validator": "video_recommender.schemas.SkippedImages",
    }
    catalog = AtomicCatalog.from_config({"images": entry})

    catalog.save("images", pd.DataFrame([["1.jpg", "unreadable", "no pixels"]], columns=["image", "status", "error"]))
    with pytest.raises(DataValidationError, match="'images' on save"):
        catalog.save("images", TABLE)

    assert (tmp_path / "images.csv").read_text().splitlines() == ["image;status;error", "1.jpg;unreadable;no pixels"]


def test_an_error_while_saving_names_the_dataset(tmp_path):
    catalog = AtomicCatalog({"metrics": JSONDataset(filepath=f"{tmp_path}/metrics.json")})

    with pytest.raises(DatasetError, match=r"metrics: Failed while saving"):
        catalog.save("metrics", {"accuracy": object()})


def test_all_versions_of_a_versioned_dataset_are_kept(tmp_path):
    for run in ("2026-01-01", "2026-01-02"):
        versioned = JSONDataset(filepath=f"{tmp_path}/metrics.json", version=Version(None, run))
        AtomicCatalog({"metrics": versioned}).save("metrics", {"run": run})

    kept = [json.loads(file.read_text()) for file in sorted(tmp_path.rglob("*.json")) if file.is_file()]
    assert kept == [{"run": "2026-01-01"}, {"run": "2026-01-02"}]


def test_dataset_without_a_file_is_saved_directly(tmp_path):
    read_only = WheelPhotosDataset(filepath=f"{tmp_path}/list.csv", requirements="r.txt", path=f"{tmp_path}/wheels")
    catalog = AtomicCatalog({"memory": MemoryDataset(), "photos": read_only})

    catalog.save("memory", [1])

    assert catalog.load("memory") == [1]
    with pytest.raises(DatasetError, match="read-only"):
        catalog.save("photos", [])
