"""What holds for every test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["DO_NOT_TRACK"] = "1"

settings.register_profile("untimed", deadline=None)  # machines that run tests are noisy
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one folder share their finished project, networks and films: they stay in one worker of pytest-xdist."""
    for item in items:
        folder = item.path.parent.relative_to(Path(__file__).parent)
        item.add_marker(pytest.mark.xdist_group(folder.as_posix()))
