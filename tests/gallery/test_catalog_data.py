"""The gallery with the catalog, the pipelines and the command line of the project."""

import ast
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog

import video_recommender.gallery
from video_recommender.cli import cli
from video_recommender.gallery.command import CatalogData
from video_recommender.gallery.project_data import CREATED_BY, ProjectData, UnavailableError

PACKAGE = Path(video_recommender.gallery.__file__).parent
MAY_IMPORT_KEDRO = {"command.py"}


@pytest.fixture
def stored(tmp_path) -> CatalogData:
    table = {
        "type": "pandas.ParquetDataset",
        "filepath": "data/recommendations.parquet",
        "validator": "video_recommender.schemas.Recommendations",
    }
    tables = {
        "type": "video_recommender.incremental.StatefulPartitionedDataset",
        "path": str(tmp_path / "data" / "detections"),
        "filename_suffix": ".parquet",
        "dataset": "pandas.ParquetDataset",
    }
    (tmp_path / "data").mkdir()
    table["filepath"] = str(tmp_path / "data" / "recommendations.parquet")
    return CatalogData(DataCatalog.from_config({"recommendations": table, "detections": tables}), tmp_path)


def test_commands_name_the_pipeline_that_creates_a_dataset() -> None:
    configure_project("video_recommender")
    pipelines.set_requested(None)

    for name, pipeline in CREATED_BY.items():
        assert name in pipelines[pipeline].all_outputs(), name


def test_commands_contain_the_environment(stored) -> None:
    assert ProjectData(stored, "youtube").command_for("ad_policy") == "kedro run --pipelines=advertising --env=youtube"


def test_a_damaged_table_is_unavailable(stored) -> None:
    stored.path("recommendations").write_bytes(b"no table")

    with pytest.raises(UnavailableError, match=r"recommendations\.parquet cannot be read"):
        ProjectData(stored).load("recommendations")


def test_a_table_with_other_columns_is_unavailable(stored) -> None:
    pd.DataFrame({"video_id": ["a/b"]}).to_parquet(stored.path("recommendations"))

    with pytest.raises(UnavailableError, match="cannot be read"):
        ProjectData(stored).load("recommendations")


def test_a_damaged_partition_does_not_affect_the_others(stored) -> None:
    from video_recommender.gallery.project_data import UnreadableDataError
    from video_recommender.storage.partitions import Partition, PartitionState

    seen = pd.DataFrame({"frame": [1]})
    stored._catalog.save("detections", {f"pets/{name}": Partition(PartitionState("1"), seen) for name in "ab"})
    (stored.path("detections") / "pets" / "a.parquet").write_bytes(b"no table")

    partitions = ProjectData(stored).load("detections")

    assert len(partitions["pets/b"]()) == 1
    with pytest.raises(UnreadableDataError):
        partitions["pets/a"]()


@pytest.mark.parametrize("file", sorted(PACKAGE.glob("*.py")), ids=lambda file: file.name)
def test_only_the_command_imports_kedro(file) -> None:
    imported = {
        name.split(".")[0]
        for statement in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in statement.names]
            if isinstance(statement, ast.Import)
            else [statement.module or ""]
            if isinstance(statement, ast.ImportFrom)
            else []
        )
    }

    assert file.name in MAY_IMPORT_KEDRO or not imported & {"kedro", "kedro_datasets", "mlflow"}
    assert len(file.read_text().splitlines()) < 300


def test_the_gallery_runs_without_tensorflow() -> None:
    code = "import sys, video_recommender.gallery.web_app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"tensorflow", "keras", "mlflow", "kedro"} & set(loaded)


def test_the_help_lists_all_options() -> None:
    result = CliRunner().invoke(cli, ["gallery", "--help"])

    assert result.exit_code == 0
    for option in ("--host", "--port", "--no-browser", "--no-open", "--env", "--max-upload-mb"):
        assert option in result.output


def test_a_port_in_use_is_an_error_with_a_hint() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(cli, ["gallery", "--no-browser", f"--port={port}"])

    assert result.exit_code == 1
    assert f"kedro gallery --port {port + 1}" in result.output
