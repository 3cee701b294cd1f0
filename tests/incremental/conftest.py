import sys

import pytest
from toy_project import Project

from video_recommender.incremental.code_digest import clear_cache


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The toy project before its first run."""
    monkeypatch.setenv("TOY_JOURNAL", str(tmp_path / "journal.txt"))
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would not detect an edit within the same second
    clear_cache()
    yield Project(tmp_path)
    for module in [module for module in sys.modules if module.split(".")[0] == "toy"]:
        del sys.modules[module]
