"""Runs of the incremental runner: nodes, partitions, problems and hooks."""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from kedro_datasets.json import JSONDataset
from object_store import BUCKET, object_store

import video_recommender.incremental
from video_recommender.incremental import (
    IncrementalRunner,
    Partition,
    PartitionState,
    StatefulPartitionedDataset,
    accumulate,
    per_partition,
)
from video_recommender.incremental.partition_run import UnexpectedFailuresError

README = Path(video_recommender.incremental.__file__).with_name("README.md")


class UnreadableError(Exception):
    status = "unreadable"


@dataclass
class Described:
    text: object
    properties: object


@dataclass
class Source:
    """A value of a mapping in memory."""

    number: int
    digest: str
    properties: dict


class CallRecorder:
    """Records calls. Unlike a list, it is not part of the digest of a function that references it."""

    def __init__(self):
        self.numbers = []


def partitioned(folder, name):
    return StatefulPartitionedDataset(path=f"{folder}/{name}", filename_suffix=".json", dataset="json.JSONDataset")


@pytest.fixture
def run(tmp_path):
    """Return a function that runs nodes with partitioned datasets `numbers`, `out` and `more`."""

    def run(*nodes, hooks=(), runner=IncrementalRunner, **inputs):
        catalog = DataCatalog({name: partitioned(tmp_path, name) for name in ("numbers", "out", "more")})
        catalog["params:workers"] = {"backend": "sequential"}
        for name, value in inputs.items():
            if name == "numbers":
                catalog.save("numbers", value)
            else:
                catalog[name] = MemoryDataset(value, copy_mode="assign")
        manager = _create_hook_manager()
        for hook in hooks:
            manager.register(hook)
        try:
            runner().run(Pipeline(nodes), catalog, hook_manager=manager)
        finally:
            run.states = {name: partitioned(tmp_path, name).load().states for name in ("out", "more")}
            run.values = {key: load() for key, load in partitioned(tmp_path, "out").load().items()}

    return run


def double(number):
    return number * 2


def test_any_kedro_runner_processes_every_partition_each_time(project):
    first = project.run(SequentialRunner)
    again = project.run(SequentialRunner)

    assert first == again == project.run(ThreadRunner)
    assert first == ["add", "describe a", "describe b", "describe c", "double a", "double b", "double c", "report"]
    assert project.run() == first
    assert project.run() == []
    assert json.loads((project.folder / "report.json").read_text()) == {"Sum": 12}


def test_any_kedro_runner_stores_expected_problems(run):
    def read(number):
        raise UnreadableError("no number")

    run(per_partition(read, "numbers", "out", "read"), runner=SequentialRunner, numbers={"a": 1})

    assert (run.states["out"]["a"].status, run.states["out"]["a"].error) == ("unreadable", "no number")


@pytest.mark.parametrize("runner", [IncrementalRunner, SequentialRunner])
def test_no_partitions_give_no_outputs(run, runner):
    run(per_partition(double, "numbers", "out", "double"), runner=runner)

    assert run.states["out"] == {}


def test_several_outputs_come_from_a_tuple_or_a_dataclass(run):
    run(per_partition(lambda number: (number, str(number)), "numbers", ["out", "more"], "split"), numbers={"a": 1})
    assert run.states["more"]["a"].is_ok

    run(per_partition(lambda number: Described(number, {"size": 3}), "numbers", "out", "describe"))
    assert run.states["out"]["a"].properties == {"size": 3}


@pytest.mark.parametrize("result", [(1,), (1, 2, 3), "ab", 5])
def test_a_wrong_number_of_outputs_is_a_failure(run, result):
    run(per_partition(lambda number: result, "numbers", ["out", "more"], "split"), numbers={"a": 1})

    assert run.states["out"]["a"].status == run.states["more"]["a"].status == "failed"


def test_numpy_properties_are_stored_as_numbers_and_other_objects_are_failures(run):
    def describe(number):
        return Described(number, {"value": np.float32(0.5) if number else object(), "name": "\udcff"})

    run(per_partition(describe, "numbers", "out", "describe"), numbers={"a": 1, "b": 0})

    assert run.states["out"]["a"].properties == {"value": 0.5, "name": "?"}
    assert (
        run.states["out"]["b"].error == "TypeError: The property value is a object: use a string, a number or a boolean"
    )


def test_partitions_from_a_mapping_in_memory_depend_on_the_digests_and_keep_the_properties_of_its_values(run):
    calls = CallRecorder()

    def read(source, factor):
        calls.numbers.append(source.number)
        if source.number == 0:
            raise UnreadableError("nothing")
        return source.number * factor

    def sources(**numbers):
        return {key: Source(number, str(number), {"origin": key}) for key, number in numbers.items()}

    node = per_partition(read, ["sources", "params:factor"], "out", "read")
    for numbers in ({"a": 1, "b": 0}, {"a": 1, "b": 0}, {"a": 2, "b": 0}):
        run(node, sources=sources(**numbers), **{"params:factor": 3})

    assert calls.numbers == [1, 0, 2]
    assert run.values == {"a": 6}
    assert {key: (state.status, state.properties) for key, state in run.states["out"].items()} == {
        "a": ("ok", {"origin": "a"}),
        "b": ("unreadable", {"origin": "b"}),
    }


def test_an_input_in_memory_without_a_digest_makes_every_partition_stale(run, caplog):
    calls = CallRecorder()

    def scale(number, model):
        calls.numbers.append(number)
        return number

    node = per_partition(scale, ["numbers", "model"], "out", "scale")
    run(node, model=SimpleNamespace(digest="1"), numbers={"a": 1})
    run(node, model=SimpleNamespace(digest="1"))
    same = len(calls.numbers)
    run(node, model=SimpleNamespace(digest="2"))
    other = len(calls.numbers)
    run(node, model=object())
    run(node, model=object())

    assert (same, other, len(calls.numbers)) == (1, 2, 4)
    assert "scale processes every partition in each run: model" in caplog.text


def test_a_first_input_that_is_not_partitioned_is_rejected(run):
    with pytest.raises(TypeError, match="number is a int, but double maps over it: use a StatefulPartitionedDataset"):
        run(per_partition(double, "number", "out", "double"), number=1)


def test_an_output_that_is_not_partitioned_is_rejected(run):
    with pytest.raises(TypeError, match=r"result is a MemoryDataset, .* use a StatefulPartitionedDataset"):
        run(per_partition(double, "numbers", "result", "double"), numbers={"a": 1}, result=1)


def fail_for(*bad):
    def work(number):
        if number in bad:
            raise KeyError(f"a bug with {number}\nin two lines")
        return number

    return per_partition(work, "numbers", "out", "work")


def test_unexpected_exceptions_are_logged_once_per_kind_with_their_traceback(run, caplog):
    def work(number):
        if number == 7:
            raise ZeroDivisionError("another bug")
        if number in {3, 5}:
            raise KeyError(f"a bug with {number}\nin two lines")
        return number

    with pytest.raises(UnexpectedFailuresError):
        run(per_partition(work, "numbers", "out", "work"), numbers={f"n{number}": number for number in range(10)})

    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 3
    assert errors[0].startswith("n3 failed unexpectedly")
    assert 'raise KeyError(f"a bug with {number}' in errors[0]
    assert errors[1].startswith("n7 failed unexpectedly")
    assert errors[2] == "1 more failed in the same way as n3"


@pytest.mark.parametrize(
    ("bad", "partitions", "stops"), [(2, 2, False), (3, 3, True), (3, 301, False), (4, 301, True)]
)  # fmt: skip
def test_a_run_fails_if_three_partitions_and_more_than_one_percent_fail_and_saves_all_others(
    run, bad, partitions, stops
):
    node, numbers = fail_for(*range(bad)), {f"n{number:03}": number for number in range(partitions)}

    if stops:
        with pytest.raises(
            UnexpectedFailuresError, match=f"work: {bad} of {partitions} partitions .* n000, n001, n002"
        ):
            run(node, numbers=numbers)
    else:
        run(node, numbers=numbers)

    assert len(run.values) == partitions - bad
    assert [key for key, state in run.states["out"].items() if state.status == "failed"] == list(numbers)[:bad]
    assert run.states["out"]["n000"].error == "KeyError: 'a bug with 0\\nin two lines'"


def test_a_full_disk_stops_the_run_and_completed_partitions_are_kept(run):
    def work(number):
        if number == 3:
            raise OSError(28, "No space left on device")
        return number

    with pytest.raises(OSError, match="n3"):
        run(per_partition(work, "numbers", "out", "work"), numbers={f"n{number}": number for number in range(10)})

    assert list(run.values) == ["n0", "n1", "n2"]
    assert {run.states["out"][f"n{number}"].status for number in range(3, 10)} == {"unfinished"}


def test_a_file_that_no_run_created_is_a_conflict_and_is_never_overwritten(run, tmp_path):
    (tmp_path / "more").mkdir()
    own = tmp_path / "more" / "b.json"
    own.write_text("irreplaceable")
    node = per_partition(lambda number: (number, number), "numbers", ["out", "more"], "copy")

    for _ in range(3):
        run(node, numbers={"a": 1, "b": 2})
        assert own.read_text() == "irreplaceable"
        assert {key: state.status for key, state in run.states["out"].items()} == {"a": "ok", "b": "conflict"}
        assert run.states["more"]["b"].status == "conflict"
    own.unlink()
    run(node)

    assert {state.status for states in run.states.values() for state in states.values()} == {"ok"}


def test_partition_with_a_conflict_in_one_output_has_no_value_in_the_others(run, tmp_path):
    node = per_partition(lambda number: (number, number), "numbers", ["out", "more"], "copy")
    run(node, numbers={"a": 1})
    shutil.rmtree(tmp_path / "more" / ".state")

    run(node)
    conflict = run.states["out"]["a"].status, list(run.values)
    shutil.rmtree(tmp_path / "more")
    run(node)

    assert conflict == ("conflict", [])
    assert run.values == {"a": 1}


def test_an_accumulating_node_receives_the_states_of_its_output_and_adds_to_it(run):
    seen = []

    def download(states, names):
        seen.append({key: state.status for key, state in states.items()})
        for name in names:
            if name not in states:
                problem = PartitionState(status="offline", error="gone")
                yield {name: Partition(problem) if name == "bad" else name.upper()}
        yield {"old": None}

    node = accumulate(download, "names", "out", "download")
    for names in (["old", "bad"], ["cat"], []):
        run(node, names=names)

    assert seen == [{}, {"bad": "offline"}, {"bad": "offline", "cat": "ok"}]
    assert run.values == {"cat": "CAT"}


class Recorder:
    """Records which hooks are called."""

    def __init__(self):
        self.calls = []

    @hook_impl
    def before_dataset_loaded(self, dataset_name):
        self.calls.append(f"load {dataset_name}")

    @hook_impl
    def before_node_run(self, node):
        self.calls.append(f"start {node.name}")

    @hook_impl
    def after_dataset_saved(self, dataset_name, data):
        self.calls.append(f"save {dataset_name} {len(data)}")

    @hook_impl
    def after_node_run(self, node):
        self.calls.append(f"finish {node.name}")

    @hook_impl
    def on_node_error(self, node, error):
        self.calls.append(f"fail {node.name} {type(error).__name__}")


def test_hooks_are_called_as_in_kedro_and_a_skipped_node_is_reported_as_finished(run):
    def scale(number, factor):
        return number * factor

    node, first, again = per_partition(scale, ["numbers", "params:factor"], "out", "scale"), Recorder(), Recorder()

    run(node, hooks=[first], numbers={"a": 1, "b": 2}, **{"params:factor": 2})
    run(node, hooks=[again], **{"params:factor": 2})

    assert first.calls == ["load numbers", "load params:factor", "start scale", "save out 2", "finish scale"]
    assert again.calls == ["load numbers", "finish scale"]


def test_the_error_hook_is_called_for_a_failed_node(run):
    recorder = Recorder()

    with pytest.raises(UnexpectedFailuresError):
        run(fail_for(1, 2, 3), hooks=[recorder], numbers={"a": 1, "b": 2, "c": 3})

    assert recorder.calls[-1] == "fail work UnexpectedFailuresError"


def test_nodes_that_finished_before_a_failure_are_not_run_again(project):
    project.edit("nodes.py", "return {title:", "1 / 0\n    return {title:")
    with pytest.raises(ZeroDivisionError):
        project.run()

    project.edit("nodes.py", "1 / 0", "pass")

    assert project.run() == ["report"]


def test_an_edit_during_a_run_makes_its_outputs_stale(project):
    editing = "import pathlib; pathlib.Path(__file__).with_name('units.py').write_text(\"UNITS = ['feet']\")"
    project.edit("nodes.py", '    note("double"', f'    {editing}\n    note("double"')
    project.run()

    project.edit("units.py", "UNITS", "UNITS")

    assert [entry for entry in project.run() if "describe" in entry] == ["describe a", "describe b", "describe c"]


def test_input_that_changes_while_a_node_runs_makes_it_stale(tmp_path):
    def count():
        catalog = DataCatalog(
            {name: JSONDataset(filepath=f"{tmp_path}/{name}.json") for name in ("x", "y", "node_ledger")}
        )
        IncrementalRunner().run(Pipeline([Node(read, "x", "y", name="read")]), catalog)
        return catalog.load("y")

    def read(x):
        (tmp_path / "x.json").write_text("2")
        return x

    (tmp_path / "x.json").write_text("1")

    assert [count(), count(), count()] == [1, 2, 2]


@pytest.fixture(params=["memory", "s3"])
def store_url(request):
    if request.param == "memory":
        yield "memory:///runner"
    else:
        with object_store():
            yield f"s3://{BUCKET}/runner"


def test_a_run_in_an_object_store_computes_only_stale_outputs(store_url):
    calls = CallRecorder()

    def scale(number, factor):
        calls.numbers.append(number)
        return number * factor

    def add(out):
        calls.numbers.append("add")
        return sum(load() for load in out.values())

    def run(factor=2, **numbers):
        calls.numbers.clear()
        catalog = DataCatalog({name: partitioned(store_url, name) for name in ("numbers", "out")})
        catalog["params:factor"], catalog["params:workers"] = factor, {"backend": "threading", "jobs": 1}
        for name in ("total", "node_ledger"):
            catalog[name] = JSONDataset(filepath=f"{store_url}/{name}.json")
        catalog.save("numbers", numbers)
        scale_node = per_partition(scale, ["numbers", "params:factor"], "out", "scale")
        IncrementalRunner().run(Pipeline([scale_node, Node(add, "out", "total", name="add")]), catalog)
        return list(calls.numbers), catalog.load("total")

    assert run(a=1, b=2) == ([1, 2, "add"], 6)
    assert run() == ([], 6)
    assert run(b=3) == ([3, "add"], 8)
    assert run(a=None) == (["add"], 6)
    assert run(factor=3) == ([3, "add"], 9)


def test_a_node_that_reads_all_partitions_runs_only_if_a_partition_has_changed(tmp_path):
    ran = []

    def count(tables):
        ran.append(len(tables))
        return len(tables)

    def run():
        ran.clear()
        catalog = DataCatalog({"tables": partitioned(tmp_path, "tables")})
        for name in ("counts", "node_ledger"):
            catalog[name] = JSONDataset(filepath=f"{tmp_path}/{name}.json")
        IncrementalRunner().run(Pipeline([Node(count, "tables", "counts", name="count")]), catalog)
        return list(ran)

    tables = partitioned(tmp_path, "tables")
    first = run()
    tables.save({"pets/cat": 1})
    second, third = run(), run()
    tables.save({"pets/cat": None})

    assert [first, second, third, run()] == [[0], [1], [], [0]]


def test_no_digest_is_computed_for_a_node_that_always_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("video_recommender.incremental.staleness.dataset_digest", lambda _: pytest.fail("digested"))
    catalog = DataCatalog({name: JSONDataset(filepath=f"{tmp_path}/{name}.json") for name in ("x", "y", "node_ledger")})
    catalog.save("x", 1)

    IncrementalRunner().run(Pipeline([Node(double, "x", "y", name="double", tags="always_run")]), catalog)

    assert catalog.load("y") == 2


def test_node_of_a_notebook_can_be_run():
    def answer():
        return 42

    answer.__module__ = "__main__"
    catalog = DataCatalog({})

    IncrementalRunner().run(Pipeline([Node(answer, None, "answer", name="answer")]), catalog)

    assert catalog.load("answer") == 42


def test_datasets_in_memory_are_released_after_their_last_reader():
    class Tracked(MemoryDataset):
        def _release(self):
            released.append(self)
            super()._release()

    released = []
    catalog = DataCatalog({"middle": Tracked(), "result": Tracked()})

    IncrementalRunner().run(
        Pipeline([Node(lambda: 1, None, "middle", name="first"), Node(double, "middle", "result", name="second")]),
        catalog,
    )

    assert released == [catalog["middle"]]
    assert catalog.load("result") == 2


def test_stages_finish_one_after_the_other(tmp_path):
    ran = []

    def note(name):
        return Node(lambda *_: ran.append(name) or 1, *wiring[name], name=name, namespace=name[:-1])

    wiring = {"b1": ("x", "p"), "a1": ("x", "q"), "a2": ("q", "r"), "b2": (["p", "r"], "s")}
    catalog = DataCatalog({})
    catalog["x"] = 1

    IncrementalRunner().run(Pipeline([note(name) for name in wiring]), catalog)

    assert ran == ["a1", "a2", "b1", "b2"]


def test_the_snippets_of_the_readme_form_a_project_that_kedro_runs_incrementally(tmp_path):
    snippets = re.findall(r"```\w+\n# (\S+\.\w+)\n(.*?)```", README.read_text(), flags=re.DOTALL)
    for name, source in snippets:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    files = {
        "pyproject.toml": (
            '[tool.kedro]\npackage_name = "my_project"\nproject_name = "Mine"\nkedro_init_version = "1.7.0"'
        ),
        "src/my_project/__init__.py": "",
        "conf/local/credentials.yml": "",
        "run.py": (
            "import logging\n"
            "from pathlib import Path\n"
            "from kedro.framework.cli.cli import KedroCLI\n"
            "from kedro.framework.session import KedroSession\n"
            "from kedro.framework.startup import bootstrap_project\n"
            "bootstrap_project(Path.cwd())\n"
            "logging.getLogger('video_recommender').setLevel('INFO')\n"
            "with KedroSession.create() as session:\n"
            "    session.run()\n"
            "print('NOW THE COMMAND LINE')\n"
            "KedroCLI(Path.cwd())(['run'], standalone_mode=False)\n"
        ),
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)

    run = subprocess.run(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", *sys.path]), "DO_NOT_TRACK": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    first, again = run.stdout.split("NOW THE COMMAND LINE")
    assert "up to date" not in first
    assert again.count("up to date") == 2
    assert len(list((tmp_path / "data" / "word_counts").glob("*.json"))) == 2
