import importlib
import sys

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import ParquetDataset

import video_recommender
from video_recommender.datasets import RecordedPartitionedDataset
from video_recommender.datasets.atomic_catalog import AtomicCatalog
from video_recommender.incremental import code_digest as code_digests
from video_recommender.incremental import runner
from video_recommender.incremental.partitions import Partition, PartitionRecord
from video_recommender.incremental.runner import IncrementalRunner

CODE = """
ran = []


def halve(numbers, by):
    ran.append("halve")
    return [number // by for number in numbers]


def total(halves):
    ran.append("total")
    return sum(halves)


def describe(total):
    ran.append("describe")
    return {"total": total}
"""


class Project:
    """A small project on disk: numbers → halves → total → report, each a JSON file; each run is a new catalog."""

    def __init__(self, folder, stage):
        self.folder, self.stage = folder, stage
        self.parameter = 2
        self.kept = ["numbers", "halves", "total", "report", "run_ledger"]
        self.tags = {}
        JSONDataset(filepath=f"{folder}/numbers.json").save([2, 4])

    def nodes(self):
        return [
            Node(self.stage.halve, ["numbers", "params:by"], "halves", name="halve", tags=self.tags.get("halve")),
            Node(self.stage.total, "halves", "total", name="total", tags=self.tags.get("total")),
            Node(self.stage.describe, "total", "report", name="describe", tags=self.tags.get("describe")),
        ]

    def run(self):
        """Run what is not done yet; tell which nodes ran."""
        self.stage.ran.clear()
        catalog = AtomicCatalog({name: JSONDataset(filepath=f"{self.folder}/{name}.json") for name in self.kept})
        catalog["params:by"] = self.parameter
        code_digests.code_digest.cache_clear()
        IncrementalRunner().run(Pipeline(self.nodes()), catalog)
        return list(self.stage.ran)

    def file(self, name):
        return self.folder / f"{name}.json"


@pytest.fixture
def project(tmp_path, monkeypatch):
    package = tmp_path / "src" / "testing_stage"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "nodes.py").write_text(CODE)
    monkeypatch.setattr(video_recommender, "__path__", [*video_recommender.__path__, str(package.parent)])
    importlib.invalidate_caches()
    yield Project(tmp_path, importlib.import_module("video_recommender.testing_stage.nodes"))
    for name in [name for name in sys.modules if name.startswith("video_recommender.testing_stage")]:
        del sys.modules[name]


def test_first_run_does_everything_and_the_second_nothing(project):
    assert project.run() == ["halve", "total", "describe"]
    assert project.run() == []


def test_changed_parameter_redoes_its_node_and_those_after_it(project):
    project.run()

    project.parameter = 1

    assert project.run() == ["halve", "total", "describe"]
    assert project.file("total").read_text() == "6"


def test_changed_input_file_redoes_what_was_made_from_it(project):
    project.run()

    project.file("numbers").write_text("[20]")

    assert project.run() == ["halve", "total", "describe"]
    assert project.file("total").read_text() == "10"


@pytest.mark.parametrize("change", ["delete", "alter"])
def test_output_that_is_lost_or_altered_is_made_again_and_nothing_else(project, change):
    project.run()
    before = project.file("total").read_bytes()

    project.file("total").unlink() if change == "delete" else project.file("total").write_text("999")

    assert project.run() == ["total"]
    assert project.file("total").read_bytes() == before


def test_equal_result_ends_the_redoing_early(project):
    project.run()

    project.file("numbers").write_text("[3, 5]")

    assert project.run() == ["halve"]


def test_changed_code_of_the_package_redoes_its_nodes(project):
    project.run()

    nodes = project.folder / "src" / "testing_stage" / "nodes.py"
    nodes.write_text(nodes.read_text() + "\nVERSION = 2\n")

    assert project.run() == ["halve", "total", "describe"]


@pytest.mark.parametrize("tag", ["per_video", "on_demand"])
def test_nodes_that_know_themselves_what_to_do_are_always_run(project, tag):
    project.tags = {"total": [tag]}
    project.run()

    assert project.run() == ["total"]


@pytest.mark.parametrize("tag", ["per_video", "on_demand"])
def test_nothing_is_digested_for_a_node_that_is_never_skipped(project, tag, monkeypatch):
    project.kept = ["numbers", "halves", "run_ledger"]
    project.tags = {"halve": [tag]}
    nodes = project.nodes()[:1]
    monkeypatch.setattr(project, "nodes", lambda: nodes)
    digested = []
    monkeypatch.setattr(runner, "stored_digest", lambda _, place: digested.append(place.name))

    assert project.run() == ["halve"]
    assert digested == []


def test_failing_node_does_not_make_earlier_ones_forgotten(project, monkeypatch):
    def fail(total):
        raise ZeroDivisionError("a mistake")

    fail.__module__ = project.stage.__name__
    with monkeypatch.context() as patched:
        patched.setattr(project.stage, "describe", fail)
        with pytest.raises(ZeroDivisionError):
            project.run()

    assert project.run() == ["describe"]


def test_everything_is_run_where_no_ledger_is_kept(project):
    project.kept.remove("run_ledger")

    assert project.run() == ["halve", "total", "describe"]
    assert project.run() == ["halve", "total", "describe"]


def test_result_that_is_kept_in_memory_only_is_passed_on_when_it_changes(project):
    project.kept.remove("halves")
    project.run()

    project.parameter = 1

    assert project.run() == ["halve", "total", "describe"]
    assert project.file("total").read_text() == "6"


def test_table_of_all_partitions_is_redone_only_when_a_partition_changes(tmp_path):
    ran = []

    def count(tables):
        ran.append(len(tables))
        return pd.DataFrame({"videos": [len(tables)]})

    def run():
        ran.clear()
        catalog = DataCatalog(
            {
                "tables": RecordedPartitionedDataset(
                    path=f"{tmp_path}/tables", filename_suffix=".parquet", dataset="pandas.ParquetDataset"
                ),
                "counts": ParquetDataset(filepath=f"{tmp_path}/counts.parquet"),
                "run_ledger": JSONDataset(filepath=f"{tmp_path}/ledger.json"),
            }
        )
        IncrementalRunner().run(Pipeline([Node(count, "tables", "counts", name="count")]), catalog)
        return list(ran), catalog["tables"]

    table = pd.DataFrame({"frame": [1]})
    first, tables = run()
    tables.save({"pets/cat": Partition(PartitionRecord("1"), table)})
    second, _ = run()
    third, _ = run()
    tables.save({"pets/cat": None})
    fourth, _ = run()

    assert [first, second, third, fourth] == [[0], [1], [], [0]]


def test_node_of_a_notebook_can_be_run():
    def answer():
        return 42

    answer.__module__ = "__main__"
    catalog = DataCatalog({})

    IncrementalRunner().run(Pipeline([Node(answer, None, "answer", name="answer")]), catalog)

    assert catalog.load("answer") == 42
