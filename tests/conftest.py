"""What holds for every test."""

import os
from typing import Any

import pytest
from hypothesis import settings

os.environ["DO_NOT_TRACK"] = "1"

settings.register_profile("untimed", deadline=None)  # machines that run tests are noisy
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one folder share a finished project, networks or films: they stay in one worker of pytest-xdist."""
    from xdist.scheduler import LoadScopeScheduling

    class LoadFolderScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.split("::", maxsplit=1)[0].rpartition("/")[0]

    return LoadFolderScheduling(config, log)
