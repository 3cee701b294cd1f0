"""Digests of code: a function, and everything of the same package that it calls, without docstrings and comments.

Nothing is imported to compute one: the sources are parsed. Names are resolved through the imports of their module, those
inside functions included. A name that cannot be resolved, such as a method of an argument, is covered by the class in
the argument's type annotation.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias

from video_recommender.storage.digests import fingerprint, fingerprint_file

DATA_SUFFIXES: Final = (".txt", ".csv", ".json", ".html", ".md")
"""A data file with the name of a module belongs to its code."""

Symbol: TypeAlias = tuple[str, str]
"""The name of a module, and of something at its top level; an empty name stands for the whole module."""


def code_digest(function: Callable[..., Any]) -> str:
    """Digest the code of a function and all code of its top-level package that it reaches.

    Args:
        function: a function, class or partial of a module; one of `__main__` or a notebook is digested by its own code.
    """
    while isinstance(function, partial):
        function = function.func
    module, name = function.__module__, function.__qualname__.partition(".")[0]
    if _module(module) is None:
        return fingerprint(module, function.__code__.co_code.hex(), repr(function.__code__.co_consts))
    return symbol_digest(module, name)


@cache
def symbol_digest(module: str, name: str) -> str:
    """Digest something at the top level of a module, and all code of the same top-level package that it reaches."""
    package = module.partition(".")[0]
    digests: dict[str, str] = {}
    waiting: list[Symbol] = [(module, name)]
    while waiting:
        symbol = waiting.pop()
        label = ":".join(symbol)
        parsed = _module(symbol[0]) if label not in digests else None
        if parsed is None:
            continue
        digests[label] = parsed.digest(symbol[1])
        waiting += [found for found in parsed.references(symbol[1]) if found[0].partition(".")[0] == package]
    return fingerprint(digests)


def clear_cache() -> None:
    """Forget all sources that were read: for tests and sessions that edit code."""
    symbol_digest.cache_clear()
    _module.cache_clear()
    _source_file.cache_clear()


@dataclass(frozen=True)
class _Module:
    """The parsed source of a module."""

    name: str
    is_package: bool
    definitions: dict[str, list[ast.stmt]]
    imports: dict[str, Symbol]
    data: dict[str, str]

    def digest(self, name: str) -> str:
        """Digest the statements that define a name, and the module's data files."""
        return fingerprint([ast.unparse(statement) for statement in self._statements(name)], self.data)

    def references(self, name: str) -> Iterator[Symbol]:
        """Yield what the definition of a name refers to, in this module and in others."""
        for statement in self._statements(name):
            imports = {**self.imports, **_imports(statement, self)}
            for node in ast.walk(statement):
                if isinstance(node, ast.Name):
                    yield from self._resolve(node.id, imports)
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    module, attribute = imports.get(node.value.id, ("", ""))
                    if module and not attribute:
                        yield module, node.attr
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                    yield from self._resolve(node.value, imports)  # an annotation in quotes
        if name in self.imports:
            yield self.imports[name]

    def _resolve(self, name: str, imports: dict[str, Symbol]) -> Iterator[Symbol]:
        if name in self.definitions:
            yield self.name, name
        elif name in imports:
            module, attribute = imports[name]
            yield module, attribute
            if attribute and _source_file(f"{module}.{attribute}"):
                yield f"{module}.{attribute}", ""

    def _statements(self, name: str) -> list[ast.stmt]:
        return self.definitions.get(name, [])


@cache
def _module(name: str) -> _Module | None:
    file = _source_file(name)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    _strip_docstrings(tree)
    data = [file.with_suffix(suffix) for suffix in DATA_SUFFIXES]
    module = _Module(
        name=name,
        is_package=file.name == "__init__.py",
        definitions={},
        imports={},
        data={path.name: fingerprint_file(path) for path in data if path.is_file()},
    )
    for statement in _top_level(tree.body):
        module.imports.update(_imports(statement, module) if _is_import(statement) else {})
        for defined in _defined_names(statement):
            module.definitions.setdefault(defined, []).append(statement)
    return module


@cache
def _source_file(module: str) -> Path | None:
    """Find the source of a module by its name: to import it could take seconds."""
    package, *names = module.split(".")
    for folder in _package_folders(package):
        path = folder.joinpath(*names)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return file
    return None


def _package_folders(package: str) -> list[Path]:
    import sys

    loaded: ModuleType | None = sys.modules.get(package)
    if loaded is not None:
        return [Path(folder) for folder in getattr(loaded, "__path__", [])]
    spec = find_spec(package) if package and package != "__main__" else None
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or []]


def _top_level(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module; those under `if` and `try`, such as `if TYPE_CHECKING`, one by one."""
    for statement in statements:
        if isinstance(statement, ast.If | ast.Try):
            for block in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)
        else:
            yield statement


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _imports(statement: ast.stmt, module: _Module) -> dict[str, Symbol]:
    """Map the names that a statement imports, also inside of functions, to what they stand for."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    found: dict[str, Symbol] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: (alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            found |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
    return found


def _defined_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                statement
                for statement in node.body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ] or [ast.Pass()]
