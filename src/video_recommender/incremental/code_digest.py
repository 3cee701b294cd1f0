"""Digests of source code, by which a run knows that a result was made by other code than there is now."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import video_recommender
from video_recommender.storage.digests import fingerprint

PACKAGE = "video_recommender"


@cache
def code_digest(module: str) -> str:
    """Digest the source of a module and of all modules of this package that it imports, however indirectly."""
    digests: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _source_file(name) if name not in digests else None
        if file is not None:
            digests[name] = fingerprint([path.read_text(encoding="utf-8") for path in (file, *_data_beside(file))])
            waiting += _imported(name, file)
    return fingerprint(digests)


def _source_file(module: str) -> Path | None:
    """Find a module by its name alone: Python would import what it lies in, Dask among it."""
    package, *names = module.split(".")
    if package != PACKAGE or not names:
        return None
    places = [Path(folder, *names) for folder in video_recommender.__path__]
    files = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
    # What is imported from a module looks like a module in it, but is no file.
    return next((file for file in files if file.is_file()), None)


def _data_beside(file: Path) -> list[Path]:
    data = file.with_suffix(".txt")
    return [data] if data.is_file() else []


def _imported(module: str, file: Path) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            source = resolve_name("." * statement.level + (statement.module or ""), package)
            yield source
            yield from (f"{source}.{alias.name}" for alias in statement.names)
