"""Make every way to run a pipeline use the incremental runner."""

import kedro.framework.session.service_session
import kedro.framework.session.session
import kedro.runner

from video_recommender.incremental.runner import IncrementalRunner


def use_incremental_runner() -> None:
    """Let Kedro use `IncrementalRunner` wherever it would use `SequentialRunner` by default.

    Kedro has no setting for the default runner, and `kedro run`, `session.run()` in a notebook and `kedro server`
    choose it in three places. Call this in `settings.py`. The option
    `--runner=kedro.runner.sequential_runner.SequentialRunner` still names Kedro's own.
    """
    for module in (kedro.runner, kedro.framework.session.session, kedro.framework.session.service_session):
        vars(module)["SequentialRunner"] = IncrementalRunner
