import fsspec
import pandas as pd
import pytest
from fsspec.implementations.local import LocalFileSystem
from kedro.io import CachedDataset, DataCatalog, MemoryDataset, Version
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.partitions import PartitionedDataset
from kedro_datasets.pickle import PickleDataset
from kedro_datasets.plotly import JSONDataset as PlotlyDataset
from kedro_datasets.text import TextDataset

from video_recommender.datasets import (
    FrameFolderDataset,
    KerasModelDataset,
    OptionalDataset,
    ParquetTableDataset,
    PreviewImageDataset,
    VideoFileDataset,
)
from video_recommender.incremental.dataset_files import dataset_config, dataset_location

KINDS = [
    CSVDataset,
    FrameFolderDataset,
    JSONDataset,
    KerasModelDataset,
    ParquetDataset,
    ParquetTableDataset,
    PickleDataset,
    PlotlyDataset,
    PreviewImageDataset,
    TextDataset,
    VideoFileDataset,
]


@pytest.mark.parametrize("kind", KINDS)
def test_location_of_a_local_dataset_is_its_path(kind, tmp_path):
    filesystem, path = dataset_location(kind(filepath=f"{tmp_path}/results/content"))

    assert isinstance(filesystem, LocalFileSystem)
    assert path == f"{tmp_path}/results/content"


@pytest.mark.parametrize("kind", KINDS)
def test_location_of_a_dataset_in_a_store_has_no_protocol(kind):
    filesystem, path = dataset_location(kind(filepath="memory:///bucket/content"))

    assert filesystem is fsspec.filesystem("memory")
    assert path.strip("/") == "bucket/content"


def test_saved_content_is_at_the_location():
    dataset = ParquetTableDataset(filepath="memory:///bucket/table.parquet")
    dataset.save(pd.DataFrame({"rank": [1]}))

    filesystem, path = dataset_location(dataset)

    with filesystem.open(path) as file:
        assert pd.read_parquet(file)["rank"].tolist() == [1]


def test_file_system_has_the_credentials_and_options_of_the_dataset():
    entry = {
        "type": "pandas.CSVDataset",
        "filepath": "s3://corpus/videos.csv",
        "credentials": "store",
        "fs_args": {"use_listings_cache": False, "open_args_save": {"mode": "wb"}},
    }
    secrets = {"key": "name", "secret": "hidden"}
    catalog = DataCatalog.from_config({"videos": entry}, {"store": secrets})

    filesystem, path = dataset_location(catalog["videos"])

    assert filesystem is fsspec.filesystem("s3", **secrets, use_listings_cache=False)
    assert path == "corpus/videos.csv"


@pytest.mark.parametrize("kind", [ParquetDataset, ParquetTableDataset])
def test_a_subclass_that_inherits_its_constructor_has_the_file_system_with_credentials(kind):
    secrets = {"key": "name", "secret": "hidden"}

    filesystem, _ = dataset_location(kind(filepath="s3://corpus/videos.parquet", credentials=secrets))

    assert (filesystem.key, filesystem.secret) == ("name", "hidden")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda file: CachedDataset(JSONDataset(filepath=file)),
        lambda file: CachedDataset({"type": "json.JSONDataset", "filepath": file}),
        lambda file: OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": file}),
    ],
    ids=["cached instance", "cached", "optional"],
)
def test_location_of_a_wrapper_is_that_of_the_wrapped_dataset(wrap, tmp_path):
    _, path = dataset_location(wrap(f"{tmp_path}/ads.json"))

    assert path == f"{tmp_path}/ads.json"


def test_location_of_partitions_is_their_folder(tmp_path):
    _, path = dataset_location(PartitionedDataset(path=f"{tmp_path}/detections", dataset="pandas.ParquetDataset"))

    assert path == f"{tmp_path}/detections"


@pytest.mark.parametrize("kind", [JSONDataset, ParquetTableDataset])
def test_location_of_a_versioned_dataset_is_the_folder_of_its_versions(kind, tmp_path):
    dataset = kind(filepath=f"{tmp_path}/metrics", version=Version(None, "2026-01-01"))

    _, path = dataset_location(dataset)

    assert path == f"{tmp_path}/metrics"
    assert dataset_config("metrics", dataset)[0]["versioned"]


def test_dataset_in_memory_has_no_location():
    assert dataset_location(MemoryDataset([1])) is None


@pytest.mark.parametrize("kind", KINDS)
def test_dataset_can_be_rebuilt_from_its_configuration(kind, tmp_path):
    config, credentials = dataset_config("made", kind(filepath=f"{tmp_path}/made", metadata={"layer": "raw"}))

    rebuilt = DataCatalog.from_config({"made": config}, credentials)["made"]

    assert type(rebuilt) is kind
    assert dataset_location(rebuilt)[1] == f"{tmp_path}/made"
