"""The packages and their permitted dependencies."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "video_recommender"
ALLOWED = {
    "storage": set(),
    "schemas": set(),
    "media": {"storage", "schemas"},
    "sources": {"media", "storage", "schemas"},
    "similarity": {"media", "storage", "schemas"},
    "networks": {"similarity", "sources", "media", "storage", "schemas"},
    "advertising": {"similarity", "storage", "schemas"},
    "reporting": {"advertising", "similarity", "networks", "sources", "media", "storage", "schemas"},
    "gallery": {
        "incremental", "reporting", "advertising", "similarity", "networks", "sources", "media", "storage", "schemas"
    },
    "incremental": {"storage"},
    "datasets": {"incremental", "sources", "media", "storage"},
    "pipelines": {
        "incremental", "reporting", "advertising", "similarity", "networks", "sources", "media", "storage", "schemas"
    },
}  # fmt: skip
"""Packages that each package can import, in addition to `console_output`."""

IMPORTS_KEDRO = {"incremental", "datasets", "pipelines"}
KEDRO = {"kedro", "kedro_datasets", "kedro_viz", "mlflow"}
GALLERY_COMMAND = {"command.py"}
"""The module of the gallery that can import Kedro."""


def files_of(package: str) -> list[Path]:
    return sorted((SOURCE / package).rglob("*.py"))


def imports_of(file: Path) -> set[str]:
    """Return the modules and names that a file imports, without relative imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages_imported_by(file: Path) -> set[str]:
    parts = [name.split(".") for name in imports_of(file)]
    return {names[1] for names in parts if names[0] == "video_recommender" and len(names) > 1}


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_packages_below_it(package: str) -> None:
    for file in files_of(package):
        imported = packages_imported_by(file) - {package, "console_output"}
        if package == "gallery" and file.name in GALLERY_COMMAND:
            imported -= {"incremental"}
        assert imported <= ALLOWED[package], file.relative_to(SOURCE)


def test_there_are_no_other_packages_and_no_cycles() -> None:
    packages = {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").is_file()}

    assert packages == ALLOWED.keys()
    TopologicalSorter(ALLOWED).prepare()


def test_only_the_engine_the_datasets_and_the_pipelines_import_kedro() -> None:
    for package in ALLOWED.keys() - IMPORTS_KEDRO:
        for file in files_of(package):
            if file.name not in GALLERY_COMMAND:
                assert {name.split(".")[0] for name in imports_of(file)}.isdisjoint(KEDRO), file.relative_to(SOURCE)


def test_a_pipeline_package_has_nodes_and_a_pipeline_and_imports_no_other_pipeline() -> None:
    for folder in (SOURCE / "pipelines").iterdir():
        if not folder.is_dir() or folder.name == "__pycache__":
            continue
        assert {file.name for file in folder.glob("*.*")} == {"__init__.py", "nodes.py", "pipeline.py"}
        for file in folder.glob("*.py"):
            others = {name for name in imports_of(file) if name.startswith("video_recommender.pipelines.")}
            assert {name for name in others if name.split(".")[2] != folder.name} == set()


def test_nodes_do_not_import_kedro() -> None:
    for file in (SOURCE / "pipelines").rglob("nodes.py"):
        assert {name.split(".")[0] for name in imports_of(file)}.isdisjoint(KEDRO), file.relative_to(SOURCE)


def test_few_modules_are_at_the_top_of_the_package() -> None:
    assert len([file for file in SOURCE.glob("*.py") if not file.name.startswith("_")]) <= 8
