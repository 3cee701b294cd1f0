"""Digests of the code of a function and of everything in the same package that it references.

Sources are parsed, not imported. Names are resolved through the imports of their module, including imports inside
functions. Methods of an argument are tracked through the class in its type annotation. Docstrings, comments and layout
do not change a digest.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import CodeType
from typing import Any, Final, TypeAlias

from video_recommender.storage.digests import fingerprint, fingerprint_bytes, fingerprint_file, value_digest

DATA_SUFFIXES: Final = (".txt", ".csv", ".json", ".html", ".md")
"""A data file with the same name as a module is part of its code, as is any data file that the code names."""

DATA_FILE: Final = re.compile(r"[\w-][\w./ -]{0,200}\.(?!py$)\w+")

Symbol: TypeAlias = tuple[str, str]
"""Name of a module and of a definition at its top level; an empty name stands for the module itself."""

CodeCache: TypeAlias = dict[str, dict[str, Any]]
"""By symbol: its digest, and the digest of each file that it was computed from. Can be stored as JSON between runs."""


def code_digest(function: Callable[..., Any], cache: CodeCache | None = None) -> str:
    """Compute the digest, 32 hexadecimal digits, of a function and of all code in its package that it references.

    Includes the bound arguments of a `partial`. If a module has no source file (notebooks), uses its compiled code.
    Updates the cache in place: unchanged sources are not parsed again.
    """
    function, bound = unwrap(function)
    cache = {} if cache is None else cache
    module, name = getattr(function, "__module__", None) or "", function.__qualname__.partition(".")[0]
    label = f"{module}:{name}"
    if label not in cache or not _is_current(cache[label]):
        parsed = _module(module)
        if parsed is None or name not in parsed.definitions:
            return fingerprint(_digest_compiled(function), bound)
        cache[label] = _digest_symbol(module, name)
    return fingerprint(cache[label]["digest"], function.__qualname__, bound)


def unwrap(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
    """Return the function of a `partial`, and the digests of its bound arguments."""
    bound: list[Any] = []
    while isinstance(function, partial):
        bound += [*map(_bound, function.args), *([name, _bound(value)] for name, value in function.keywords.items())]
        function = function.func
    return function, bound


def clear_cache() -> None:
    """Clear the cache of parsed sources, so that tests can edit a module without a reload."""
    _parsed.clear()


def _bound(value: Any) -> str:
    """Return the digest of a bound argument of a `partial`, or the name of its type if the type has no digest."""
    try:
        return code_digest(value) if callable(value) else value_digest(value)
    except TypeError:
        return type(value).__qualname__


def _digest_compiled(function: Callable[..., Any]) -> str:
    """Compute the digest of compiled code without its docstring and line numbers."""
    code = getattr(function, "__code__", None)
    return fingerprint(function.__qualname__, _describe(code, function.__doc__) if code else None)


def _is_current(entry: Mapping[str, Any]) -> bool:
    """Return whether all files that a digest was computed from are unchanged."""
    return all(_content_digest(module, file) == digest for module, file, digest in entry["files"])


def _content_digest(module: str, name: str) -> str:
    """Compute the digest of a file in the folder of a module."""
    source = _source_file(module)
    file = source.with_name(name) if source else None
    return fingerprint_file(file) if file is not None and file.is_file() else ""


def _digest_symbol(module: str, name: str) -> dict[str, Any]:
    """Compute the digest of a top-level definition and of all code in the same top-level package that it references.

    Returns:
        `digest`; `files`: the module, name and digest of each file that it was computed from.
    """
    package = module.partition(".")[0]
    digests: dict[str, str] = {}
    files: dict[tuple[str, str], str] = {}
    waiting: list[Symbol] = [(module, name)]
    while waiting:
        symbol = waiting.pop()
        label = ":".join(symbol)
        parsed = _module(symbol[0]) if label not in digests else None
        if parsed is None:
            continue
        digests[label] = parsed.digest(symbol[1])
        files |= {(parsed.name, file): digest for file, digest in parsed.files.items()}
        waiting += [found for found in parsed.references(symbol[1]) if found[0].partition(".")[0] == package]
    return {"digest": fingerprint(digests), "files": [[*file, digest] for file, digest in sorted(files.items())]}


@dataclass
class _Module:
    """The parsed source of a module; `files` has the digests of the source and of its data files."""

    name: str
    file: Path
    files: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[Symbol]] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _references: dict[str, list[Symbol]] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, file: Path) -> "_Module":
        """Parse a source file."""
        source = file.read_bytes()
        tree = ast.parse(source)
        _strip_docstrings(tree)
        module = cls(name, file, {file.name: fingerprint_bytes(source)})
        statements = list(_top_level(tree.body))
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                _merge(module.imports, module.imports_of(statement))
        for statement in statements:
            for defined in module.affected_by(statement):
                module.definitions.setdefault(defined, []).append(statement)
        return module

    @property
    def package(self) -> str:
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]

    def digest(self, name: str) -> str:
        """Compute the digest of the statements that define a name, and of their data files."""
        if name not in self._digests:
            statements = self.definitions.get(name, [])
            constants = {node.value for part in statements for node in ast.walk(part) if isinstance(node, ast.Constant)}
            names = {value for value in constants if isinstance(value, str) and DATA_FILE.fullmatch(value)}
            files = {file.name: file for file in map(self.file.parent.joinpath, names) if file.is_file()}
            data = self._own_data | {name: fingerprint_file(file) for name, file in files.items()}
            self.files |= data
            self._digests[name] = fingerprint([ast.unparse(statement) for statement in statements], data)
        return self._digests[name]

    def references(self, name: str) -> list[Symbol]:
        """List the symbols that the definition of a name references, in this module and in others."""
        if name not in self._references:
            self._references[name] = [*self._find_references(name), *self._follow(self.imports.get(name, []), ())]
        return self._references[name]

    def imports_of(self, statement: ast.stmt) -> dict[str, list[Symbol]]:
        """Map the names that a statement imports, including imports inside functions, to symbols."""
        found: dict[str, list[Symbol]] = {}
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    found.setdefault(name, []).append((alias.name if alias.asname else name, ""))
            elif isinstance(node, ast.ImportFrom):
                dots, source = "." * node.level, node.module or ""
                source = resolve_name(dots + source, self.package) if dots else source
                for alias in node.names:
                    found.setdefault(alias.asname or alias.name, []).append((source, alias.name))
        return found

    def affected_by(self, statement: ast.stmt) -> set[str]:
        """Return the names that a top-level statement defines or can change."""
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return set()
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return {statement.name}
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        is_plain = isinstance(statement, ast.Assign | ast.AnnAssign) and all(
            isinstance(target, ast.Name | ast.Tuple) for target in _targets(statement)
        )
        # Other statements, such as `TABLE["cat"] = 1` or `TABLE.update(…)`, can change any name that they contain
        return stored if is_plain else stored | {node.id for node in names}

    @cached_property
    def _own_data(self) -> dict[str, str]:
        files = [self.file.with_suffix(suffix) for suffix in DATA_SUFFIXES]
        return {file.name: fingerprint_file(file) for file in files if file.is_file()}

    def _find_references(self, name: str) -> Iterator[Symbol]:
        for statement in self.definitions.get(name, []):
            imports = {key: list(symbols) for key, symbols in self.imports.items()}
            _merge(imports, self.imports_of(statement))
            for root in (statement, *_quoted_annotations(statement)):
                for node in ast.walk(root):
                    chain = _dotted(node)
                    if chain:
                        yield from self._resolve(chain, imports)

    def _resolve(self, chain: tuple[str, ...], imports: Mapping[str, list[Symbol]]) -> Iterator[Symbol]:
        """Resolve `name` or `name.attribute.attribute`."""
        first, *rest = chain
        if first in self.definitions:
            yield self.name, first
        if first in imports:
            yield from self._follow(imports[first], tuple(rest))
        elif first not in self.definitions:
            yield from ((module, first) for module, _ in imports.get("*", []))

    @staticmethod
    def _follow(symbols: list[Symbol], attributes: tuple[str, ...]) -> Iterator[Symbol]:
        """Resolve attributes through submodules."""
        for module, name in symbols:
            for attribute in (name, *attributes) if name else attributes:
                yield module, attribute
                if _source_file(f"{module}.{attribute}") is None:
                    break
                module = f"{module}.{attribute}"  # noqa: PLW2901 - the walk goes on from there
            yield module, ""


_parsed: dict[str, tuple[Any, _Module | None]] = {}


def _module(name: str) -> _Module | None:
    """Parse a module; again only if it has been reloaded, or was edited and is not loaded.

    So an edit counts from the moment on at which the edited code runs, also in a session that stays open for days.
    """
    loaded = sys.modules.get(name)
    file = _source_file(name)
    state: Any = getattr(loaded, "__spec__", None)
    if file is not None and state is None:
        stat = file.stat()
        state = (stat.st_mtime_ns, stat.st_size)
    known, parsed = _parsed.get(name, (None, None))
    is_same = known == state if isinstance(state, tuple) else known is state  # specs of a reloaded module are equal
    if name not in _parsed or not is_same:
        parsed = _Module.parse(name, file) if file else None
        _parsed[name] = state, parsed
    return parsed


def _source_file(module: str) -> Path | None:
    """Find the source file of a module by name, without importing it, which can take seconds."""
    package, *names = module.split(".")
    if package in {"", "__main__"}:
        return None
    folders, single = _find_package(package)
    if single is not None and not names:
        return single
    for folder in folders:
        path = folder.joinpath(*names)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


def _find_package(package: str) -> tuple[list[Path], Path | None]:
    """Find the folders of a top-level package, or the file of a single module."""
    loaded = sys.modules.get(package)
    if loaded is not None:
        folders, origin = getattr(loaded, "__path__", None), getattr(loaded, "__file__", None)
    else:
        spec = find_spec(package)
        folders, origin = (spec.submodule_search_locations, spec.origin) if spec else (None, None)
    if folders is not None:
        return [Path(folder) for folder in folders], None
    return [], Path(origin) if origin and origin.endswith(".py") else None


def _top_level(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module; flatten `if`, `try` and `with` blocks, such as `if TYPE_CHECKING`."""
    for statement in statements:
        if isinstance(statement, ast.If | ast.Try | ast.TryStar | ast.With):
            for block in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)
        else:
            yield statement


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _dotted(node: ast.AST) -> tuple[str, ...]:
    """Return the parts of `name` or `name.attribute`, or an empty tuple for any other expression."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()


def _quoted_annotations(statement: ast.stmt) -> Iterator[ast.AST]:
    for node in ast.walk(statement):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if not isinstance(annotation, ast.AST):
                continue
            for part in ast.walk(annotation):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    with suppress(SyntaxError):  # the text of a `Literal`
                        yield ast.parse(part.value, mode="eval")


def _merge(into: dict[str, list[Symbol]], found: Mapping[str, list[Symbol]]) -> None:
    for name, symbols in found.items():
        into.setdefault(name, []).extend(symbols)


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                statement
                for statement in node.body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ] or [ast.Pass()]


def _describe(code: CodeType, docstring: str | None = None) -> list[Any]:
    constants = [part for part in code.co_consts if docstring is None or part != docstring]
    described = [_describe(part) if isinstance(part, CodeType) else repr(part) for part in constants]
    return [code.co_code.hex(), list(code.co_names), described]
