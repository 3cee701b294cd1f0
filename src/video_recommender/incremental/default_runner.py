"""Make every way to run a pipeline use the incremental runner."""

from importlib import import_module
from typing import Final

from video_recommender.incremental.runner import IncrementalRunner

CHOOSERS: Final = ("kedro.runner", "kedro.framework.session.session", "kedro.framework.session.service_session")
"""Modules that choose the default runner; imported late, because workers do without."""


def use_incremental_runner() -> None:
    """Let Kedro use `IncrementalRunner` wherever it would use `SequentialRunner` by default.

    Kedro has no setting for the default runner, and `kedro run`, `session.run()` in a notebook and `kedro server`
    choose it in three places. Call this in `settings.py`. The option
    `--runner=kedro.runner.sequential_runner.SequentialRunner` still names Kedro's own.
    """
    for name in CHOOSERS:
        vars(import_module(name))["SequentialRunner"] = IncrementalRunner
