"""Settings for all tests."""

import os
from typing import Any

import pytest
from hypothesis import settings

os.environ["DO_NOT_TRACK"] = "1"

settings.register_profile("untimed", deadline=None)  # durations vary too much on shared machines
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run the tests of a folder in one worker of pytest-xdist, because they share projects, networks or videos."""
    from xdist.scheduler import LoadScopeScheduling

    class LoadFolderScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.split("::", maxsplit=1)[0].rpartition("/")[0]

    return LoadFolderScheduling(config, log)
