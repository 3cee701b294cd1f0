"""A toy project whose code can be edited between runs: numbers → doubled → texts, lengths and total → report."""

import importlib
import sys
from pathlib import Path

from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset

from video_recommender.incremental import IncrementalRunner, StatefulPartitionedDataset, per_partition
from video_recommender.incremental.code_digest import clear_cache

PARTITIONED = ("numbers", "doubled", "texts", "lengths")
TABLES = ("total", "report", "node_ledger")

SOURCES = {
    "__init__.py": "",
    "journal.py": '''
import os, time

def note(*words):
    """Record what is computed, with the time."""
    with open(os.environ["TOY_JOURNAL"], "a") as file:
        file.write(" ".join(map(str, (*words, time.time()))) + "\\n")
''',
    "arithmetic.py": """
def scale(number, factor):
    return number * factor

def unrelated():
    return 1
""",
    "shapes.py": """
class Described:
    def length(self, text):
        return len(text)
""",
    "units.py": """
from pathlib import Path

UNITS = Path(__file__).with_suffix(".txt").read_text().split()
""",
    "units.txt": "metres",
    "nodes.py": '''
from dataclasses import dataclass
from video_recommender.incremental import Partitions, depends_on
from toy import arithmetic
from toy.journal import note
from toy.shapes import Described
from toy.units import UNITS

OFFSET = 0

@dataclass
class Result:
    text: str
    length: int
    properties: dict

class TooLargeError(Exception):
    status = "too_large"

def double(number, factor):
    """Double a number."""
    note("double", number["key"])
    if number["value"] > 1000:
        raise TooLargeError("The number is too large")
    return {"key": number["key"], "value": arithmetic.scale(number["value"], factor) + OFFSET}

@depends_on("numpy")
def describe(number, digits, described: "Described | None" = None):
    note("describe", number["key"])
    text = f"{number['value']:.{digits}f} {UNITS[0]}"
    return Result(text, (described or Described()).length(text), {"key": number["key"], "is_long": len(text) > 10})

def add(doubled: Partitions):
    note("add")
    return {"total": sum(load()["value"] for load in doubled.values())}

def write_report(total, title):
    note("report")
    return {title: total["total"]}

def unrelated():
    return 1
''',
}


class Project:
    """The toy project in a folder; each run has a new catalog, as in a Kedro session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = folder / "src" / "toy"
        self.journal = folder / "journal.txt"
        self.parameters = {"factor": 2, "digits": 0, "title": "Sum", "workers": {"backend": "sequential"}}
        self.tags: dict[str, list[str]] = {}
        self.in_memory: set[str] = set()
        self.code.mkdir(parents=True)
        for name, source in SOURCES.items():
            self.write(name, source)
        self.nodes = importlib.import_module("toy.nodes")
        self.save(a=1, b=2, c=3)

    def write(self, name: str, source: str) -> None:
        (self.code / name).write_text(source)

    def edit(self, name: str, old: str, new: str) -> None:
        """Edit a file of the project and reload its modules, as in a new process."""
        source = (self.code / name).read_text()
        assert old in source
        self.write(name, source.replace(old, new))
        for module in [module for module in sys.modules if module.split(".")[0] == "toy"]:
            del sys.modules[module]
        importlib.invalidate_caches()
        clear_cache()
        self.nodes = importlib.import_module("toy.nodes")

    def catalog(self) -> DataCatalog:
        datasets = {name: self.partitioned(name) for name in PARTITIONED}
        datasets |= {name: JSONDataset(filepath=f"{self.folder}/{name}.json") for name in TABLES}
        catalog = DataCatalog({name: dataset for name, dataset in datasets.items() if name not in self.in_memory})
        for name, value in self.parameters.items():
            catalog[f"params:{name}"] = value
        return catalog

    def partitioned(self, name: str) -> StatefulPartitionedDataset:
        return StatefulPartitionedDataset(
            path=f"{self.folder}/{name}", filename_suffix=".json", dataset="json.JSONDataset"
        )

    def pipeline(self) -> Pipeline:
        nodes = self.nodes
        return Pipeline(
            [
                per_partition(nodes.double, ["numbers", "params:factor"], "doubled", name="double"),
                per_partition(nodes.describe, ["doubled", "params:digits"], ["texts", "lengths"], name="describe"),
                Node(nodes.add, "doubled", "total", name="add", tags=self.tags.get("add")),
                Node(nodes.write_report, ["total", "params:title"], "report", name="report"),
            ]
        )

    def save(self, **numbers: int | None) -> None:
        """Add, replace or (None) delete numbers."""
        values = {key: {"key": key, "value": value} for key, value in numbers.items() if value is not None}
        self.partitioned("numbers").save({**values, **dict.fromkeys(numbers.keys() - values.keys())})

    def run(self, runner: type[SequentialRunner] = IncrementalRunner) -> list[str]:
        """Run the project and return the entries of the journal."""
        before = len(self.entries())
        runner().run(self.pipeline(), self.catalog())
        return sorted(" ".join(words) for *words, _ in self.entries()[before:])

    def entries(self) -> list[list[str]]:
        return [line.split() for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    def results(self) -> dict[str, bytes]:
        """Read all output files, including hidden ones, except for states and the ledger."""
        files = [file for file in self.folder.rglob("*") if file.is_file() and ".state" not in file.parts]
        others = {self.journal.name, "node_ledger.json"}
        return {
            file.relative_to(self.folder).as_posix(): file.read_bytes()
            for file in files
            if file.name not in others and self.code not in file.parents
        }

    def states(self, name: str) -> dict[str, str]:
        return {key: state.status for key, state in self.partitioned(name).load().states.items()}
