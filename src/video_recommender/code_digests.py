"""Digests of source code, by which a run knows that a result was made by other code than there is now."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

from video_recommender.fingerprints import fingerprint

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
    if not module.startswith(f"{PACKAGE}."):
        return None
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # not a module, but something that is imported from one
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


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
