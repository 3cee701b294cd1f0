import time

import pytest

from video_recommender.incremental import file_state


@pytest.fixture
def later(monkeypatch):
    """Let ten seconds pass between what is done and what is looked at."""
    now = time.time_ns
    monkeypatch.setattr(file_state.time, "time_ns", lambda: now() + 10_000_000_000)
