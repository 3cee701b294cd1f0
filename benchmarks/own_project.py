"""A copy of the project in a folder of its own, so that a benchmark leaves the user's data alone."""

import os
import shutil
from pathlib import Path

PROJECT = Path(__file__).parents[1]
USERS_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Where modules were compiled anew at every start, start-up would take twice as long."""


def copy_project(folder: Path) -> None:
    """Copy what `kedro run` needs, without any data."""
    shutil.copytree(PROJECT / "conf", folder / "conf")
    shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
    shutil.copyfile(PROJECT / ".telemetry", folder / ".telemetry")
    (folder / "src").mkdir()
