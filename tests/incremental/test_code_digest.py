"""Which edits change the digest of a function."""

import importlib
import os
import subprocess
import sys
from functools import partial

import pytest

from video_recommender.incremental.code_digest import clear_cache, code_digest
from video_recommender.incremental.staleness import depends_on, function_digest

FILES = {
    "__init__.py": "from sample.shapes import Shape",
    "shapes.py": "class Shape:\n    SIDES = 4\n",
    "helpers.py": "def inner():\n    return 1\n\ndef outer():\n    return inner()\n",
    "constants.py": "LIMIT = 10\nTABLE = {}\n\nTABLE['cat'] = 1\nTABLE.update(dog=2)\n",
    "deep/__init__.py": "",
    "deep/below.py": "def work():\n    return 1\n",
    "names.csv": "cat,dog",
}


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """Return a function that writes the module `nodes` of a package and computes the digest of its function `node`."""
    package = tmp_path / "sample"
    for name, source in FILES.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def digest(source=None, **edits):
        if source is not None:
            (package / "nodes.py").write_text(source)
        for name, (old, new) in edits.items():
            file = next(file for file in package.rglob("*") if file.stem == name)
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
        for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        clear_cache()
        return code_digest(importlib.import_module("sample.nodes").node)

    yield digest
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]


INNER = {"helpers": ("return 1", "return 2")}
SIDES = {"shapes": ("SIDES = 4", "SIDES = 5")}

CHANGES_DIGEST = {
    "imported function": ("from sample.helpers import outer\ndef node(): return outer()", INNER),
    "imported module": ("from sample import helpers\ndef node(): return helpers.outer()", INNER),
    "dotted module": ("import sample.helpers\ndef node(): return sample.helpers.outer()", INNER),
    "renamed module": ("import sample.helpers as h\ndef node(): return h.outer()", INNER),
    "relative import": ("from . import helpers\ndef node(): return helpers.outer()", INNER),
    "star import": ("from .helpers import *\ndef node(): return outer()", INNER),
    "module in a subpackage": (
        "from sample import deep\nimport sample.deep.below\ndef node(): return deep.below.work()",
        {"below": ("return 1", "return 2")},
    ),
    "import in the function": (
        "def node():\n    from .deep import below\n    return below.work()",
        {"below": ("return 1", "return 2")},
    ),
    "class that the package re-exports": ("from sample import Shape\ndef node(): return Shape()", SIDES),
    "attribute of the package": ("import sample\ndef node(): return sample.Shape()", SIDES),
    "annotation": ("from sample.shapes import Shape\ndef node(shape: Shape): ...", SIDES),
    "return annotation in quotes": ("from sample.shapes import Shape\ndef node() -> 'list[Shape]': ...", SIDES),
    "annotation partly in quotes": ("from sample.shapes import Shape\ndef node(x: list['Shape']): ...", SIDES),
    "annotation imported for type checkers": (
        "import typing\nif typing.TYPE_CHECKING:\n    from sample.shapes import Shape\ndef node(x: 'Shape'): ...",
        SIDES,
    ),
    "base class": ("from .shapes import Shape\nclass Square(Shape): ...\ndef node(): Square()", SIDES),
    "default": ("from sample.helpers import outer\ndef node(f=outer): return f()", INNER),
    "argument of a decorator": (
        "from .helpers import outer\ndef by(f): return lambda g: g\n@by(outer)\ndef node(): ...",
        INNER,
    ),
    "constant": ("from sample.constants import LIMIT\ndef node(): return LIMIT", {"constants": ("10", "11")}),
    "item of a constant": (
        "from sample.constants import TABLE\ndef node(): return TABLE",
        {"constants": ("= 1", "= 3")},
    ),
    "update of a constant": (
        "from sample.constants import TABLE\ndef node(): return TABLE",
        {"constants": ("dog=2", "dog=3")},
    ),
    "data file": ("def node(): return open(__file__.replace('nodes.py', 'names.csv'))", {"names": ("dog", "emu")}),
    "lambda": ("node = lambda: 1", {"nodes": ("1", "2")}),
    "partial": ("from functools import partial\ndef f(n): return n\nnode = partial(f, 1)", {"nodes": ("f, 1", "f, 2")}),
    "method": ("class Adder:\n    def add(self): return 1\nnode = Adder().add", {"nodes": ("return 1", "return 2")}),
}

KEEPS_DIGEST = {
    "other function": (
        "from sample.helpers import inner\ndef node(): return inner()",
        {"helpers": ("return inner()", "return 2")},
    ),
    "other function of a module": (
        "from sample import helpers\ndef node(): return helpers.inner()",
        {"helpers": ("return inner()", "return 2")},
    ),
    "other constant": ("from .constants import LIMIT\ndef node(): return LIMIT", {"constants": ("dog=2", "dog=3")}),
    "name in a string": ("def helper(): return 1\ndef node(): return 'helper'", {"nodes": ("return 1", "return 2")}),
    "docstring": ("def node():\n    '''Old.'''", {"nodes": ("Old", "New")}),
    "docstring of a field": (
        "class Shape:\n    side = 1\n    '''Old.'''\ndef node(): return Shape",
        {"nodes": ("Old", "New")},
    ),
}


@pytest.mark.parametrize(("source", "edit"), CHANGES_DIGEST.values(), ids=CHANGES_DIGEST)
def test_an_edit_of_referenced_code_changes_the_digest(sample, source, edit):
    before = sample(source)
    again = sample()

    assert before == again != sample(**edit)


@pytest.mark.parametrize(("source", "edit"), KEEPS_DIGEST.values(), ids=KEEPS_DIGEST)
def test_an_edit_of_other_code_keeps_the_digest(sample, source, edit):
    assert sample(source) == sample(**edit)


def test_an_edit_of_a_loaded_module_changes_the_digest_after_a_reload(sample, tmp_path):
    before = sample("def node(): return 1")
    module = sys.modules["sample.nodes"]

    (tmp_path / "sample" / "nodes.py").write_text("def node(): return 2")
    running = code_digest(module.node)
    importlib.reload(module)

    assert running == before
    assert code_digest(module.node) != before


def test_an_edit_of_a_module_that_is_not_loaded_changes_the_digest(sample, tmp_path):
    before = sample("def node():\n    from sample.helpers import inner\n    return inner()")

    (tmp_path / "sample" / "helpers.py").write_text("def inner():\n    return 1000\n")

    assert code_digest(sys.modules["sample.nodes"].node) != before


IN_MAIN = """
from video_recommender.incremental.code_digest import code_digest
def node():
    "A node of a notebook."
    return [lambda: 1]
print(code_digest(node))
def node():
    return [lambda: 2]
print(code_digest(node))
"""


def test_function_of_a_notebook_has_the_same_digest_in_every_process():
    outputs = {
        subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
        for source in (IN_MAIN, IN_MAIN.replace("A node", "The node"))
    }

    assert len(outputs) == 1
    assert len(set(outputs.pop().split())) == 2


@pytest.mark.parametrize("function", [len, os.getcwd, str.upper, partial(int, base=2), int])
def test_builtin_function_has_a_digest(function):
    assert len(code_digest(function)) == 32


def test_mutually_recursive_functions_have_a_digest():
    def even(number):
        return number == 0 or odd(number - 1)

    def odd(number):
        return number != 0 and even(number - 1)

    assert code_digest(even) != code_digest(odd)


def test_bound_arguments_of_a_partial_change_its_digest_even_with_an_explicit_version():
    @depends_on(version="1")
    def multiply(number, factor):
        return number * factor

    assert function_digest(partial(multiply, factor=2)) == function_digest(partial(multiply, factor=2))
    assert function_digest(partial(multiply, factor=2)) != function_digest(partial(multiply, factor=3))
