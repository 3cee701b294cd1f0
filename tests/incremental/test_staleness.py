"""What a run recomputes after a change, in runs of the toy project."""

import importlib.metadata
import json

import pytest

EVERYTHING = ["add", "describe a", "describe b", "describe c", "double a", "double b", "double c", "report"]
DESCRIBE = ["describe a", "describe b", "describe c"]


def test_first_run_computes_everything_and_the_second_nothing(project):
    assert project.run() == EVERYTHING
    assert project.run() == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("nodes.py", '"""Double a number."""', '"""Multiply a number."""'),
        ("nodes.py", '"""Double a number."""', ""),
        ("nodes.py", "    note(", "    # a comment\n    note("),
        ("nodes.py", "OFFSET = 0", "OFFSET = 0\n'''Added to each number.'''"),
        ("arithmetic.py", "def scale(number, factor):", "def scale( number,  factor ):"),
    ],
    ids=["docstring", "deleted docstring", "comment", "docstring of a constant", "layout"],
)
def test_docstrings_comments_and_layout_make_nothing_stale(project, file, old, new):
    project.run()

    project.edit(file, old, new)

    assert project.run() == []


@pytest.mark.parametrize("file", ["nodes.py", "arithmetic.py"])
def test_an_edit_of_an_unrelated_function_makes_nothing_stale(project, file):
    project.run()

    project.edit(file, "def unrelated():\n    return 1", "def unrelated():\n    return 2")

    assert project.run() == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("nodes.py", "+ OFFSET}", "+ OFFSET + 1}"),
        ("nodes.py", "OFFSET = 0", "OFFSET = 1"),
        ("arithmetic.py", "return number * factor", "return number * factor + 1"),
    ],
    ids=["body", "constant", "called function in another module"],
)
def test_edited_code_makes_its_outputs_and_their_dependents_stale(project, file, old, new):
    project.run()

    project.edit(file, old, new)

    assert project.run() == EVERYTHING
    assert json.loads((project.folder / "total.json").read_text()) == {"total": 15}
    assert project.run() == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("shapes.py", "return len(text)", "return len(text) + 1"), ("units.txt", "metres", "feet")],
    ids=["class in an annotation", "data file of the module"],
)
def test_edits_of_annotated_classes_and_data_files_make_outputs_stale(project, file, old, new):
    project.run()

    project.edit(file, old, new)

    assert project.run() == DESCRIBE


def test_equal_results_of_edited_code_stop_the_propagation(project):
    project.run()

    project.edit("arithmetic.py", "return number * factor", "return factor * number")

    assert project.run() == ["double a", "double b", "double c"]


def test_equal_tables_stop_the_propagation(project):
    project.run()

    project.save(a=2, b=1)

    assert project.run() == ["add", "describe a", "describe b", "double a", "double b"]


@pytest.mark.parametrize(
    ("parameter", "value", "computed"),
    [("digits", 1, DESCRIBE), ("title", "Total", ["report"]), ("factor", 3, EVERYTHING)],
)
def test_a_changed_parameter_makes_the_nodes_that_read_it_stale(project, parameter, value, computed):
    project.run()

    project.parameters[parameter] = value

    assert project.run() == computed


def test_a_parameter_that_no_node_reads_makes_nothing_stale(project):
    project.run()

    project.parameters["workers"] = {"backend": "threading", "jobs": 2}

    assert project.run() == []


def test_another_version_of_a_library_makes_the_nodes_that_declare_it_stale(project, monkeypatch):
    project.run()

    installed = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99" if name == "numpy" else installed(name))

    assert project.run() == DESCRIBE


def test_an_explicit_version_replaces_the_digest_of_the_code(project):
    project.edit("nodes.py", "def double(", '@depends_on(version="1")\ndef double(')
    project.run()

    project.edit("nodes.py", "+ OFFSET}", "+ OFFSET + 1}")
    edited = project.run()
    project.edit("nodes.py", 'version="1"', 'version="2"')

    assert edited == []
    assert project.run() == EVERYTHING


def test_only_replaced_added_and_deleted_partitions_are_processed(project):
    project.run()

    project.save(b=20)
    replaced = project.run()
    project.save(d=4)
    added = project.run()
    project.save(a=None)
    deleted = project.run()

    assert replaced == ["add", "describe b", "double b", "report"]
    assert added == ["add", "describe d", "double d", "report"]
    assert deleted == ["add", "report"]
    assert set(project.states("lengths")) == {"b", "c", "d"}
    assert not (project.folder / "texts" / "a.json").exists()
    assert project.run() == []


def test_a_partition_that_is_saved_again_with_the_same_value_makes_nothing_stale(project):
    project.run()

    project.save(a=1, b=2)

    assert project.run() == []


@pytest.mark.parametrize("change", ["delete", "alter"])
def test_only_a_deleted_or_edited_table_is_recomputed(project, change):
    project.run()
    file = project.folder / "total.json"
    before = file.read_bytes()

    file.unlink() if change == "delete" else file.write_text('{"total": 999}')

    assert project.run() == ["add"]
    assert file.read_bytes() == before


def test_only_a_deleted_partition_is_recomputed(project):
    project.run()

    (project.folder / "texts" / "b.json").unlink()

    assert project.run() == ["describe b"]
    assert project.run() == []


def test_an_expected_problem_is_not_retried_until_its_input_changes(project):
    project.save(b=1001)
    project.run()
    problem = project.partitioned("doubled").load().states["b"]

    again = project.run()
    project.save(b=2)

    assert (problem.status, problem.error) == ("too_large", "The number is too large")
    assert again == []
    assert project.run() == ["add", "describe b", "double b", "report"]


def test_a_partition_with_a_new_problem_loses_its_value_and_downstream_values(project):
    project.run()

    project.save(b=1001)
    project.run()

    assert project.states("doubled") == {"a": "ok", "b": "too_large", "c": "ok"}
    assert project.states("texts") == {"a": "ok", "c": "ok"}
    assert not (project.folder / "doubled" / "b.json").exists()


def test_an_expected_problem_with_retry_is_retried(project):
    project.edit("nodes.py", 'status = "too_large"', 'status = "too_large"\n    retry = True')
    project.save(b=1001)
    project.run()

    assert project.run() == ["double b"]


@pytest.mark.parametrize(
    "bug", ["raise ZeroDivisionError(number)", "__import__('os')._exit(1)"], ids=["failed", "crashed"]
)
def test_failed_and_crashed_partitions_are_retried(project, bug):
    project.edit(
        "nodes.py", "def double(number, factor):", f"def double(number, factor):\n    if number['key'] == 'b': {bug}"
    )
    project.parameters["workers"] = {"backend": "loky", "jobs": 1}
    project.run()
    first = project.states("doubled")

    project.edit("nodes.py", bug, "pass")
    project.parameters["workers"] = {"backend": "sequential"}
    project.run()

    assert first["b"] in {"failed", "crashed"}
    assert project.states("doubled") == {"a": "ok", "b": "ok", "c": "ok"}


def test_a_changed_input_in_memory_makes_outputs_stale(project):
    project.in_memory = {"total"}
    project.run()

    project.save(a=100)

    assert "report" in project.run()
    assert json.loads((project.folder / "report.json").read_text()) == {"Sum": 210}


def test_without_a_ledger_only_partitions_are_incremental(project):
    project.in_memory = {"node_ledger"}
    project.run()

    assert project.run() == ["add", "report"]


def test_a_node_with_the_tag_always_run_runs_every_time(project):
    project.tags = {"add": ["always_run"]}
    project.run()

    assert project.run() == ["add"]


def test_a_damaged_ledger_makes_only_tables_stale(project, caplog):
    project.run()

    (project.folder / "node_ledger.json").write_text('{"add": {"func')

    assert project.run() == ["add", "report"]
    assert "all tables are recomputed" in caplog.text
    assert project.run() == []


def test_swapped_inputs_make_an_output_stale(project):
    from kedro.io import DataCatalog
    from kedro.pipeline import Node, Pipeline
    from kedro_datasets.json import JSONDataset

    from video_recommender.incremental import IncrementalRunner

    def subtract(a, b):
        return a - b

    results = []
    for inputs in (["x", "y"], ["y", "x"]):
        catalog = DataCatalog({name: JSONDataset(filepath=f"{project.folder}/{name}.json") for name in "xyz"})
        catalog["node_ledger"] = JSONDataset(filepath=f"{project.folder}/other_ledger.json")
        catalog.save("x", 3)
        catalog.save("y", 1)
        IncrementalRunner().run(Pipeline([Node(subtract, inputs, "z", name="subtract")]), catalog)
        results.append(catalog.load("z"))

    assert results == [2, -2]
