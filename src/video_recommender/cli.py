"""The project's `kedro run`: it does only what is not done yet, and says in a sentence what a user can mend."""

import logging
import sys
import warnings
from pkgutil import iter_modules
from typing import Any

import click
from kedro import KedroDeprecationWarning
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from kedro.validation import ParameterValidationError

from video_recommender import pipelines
from video_recommender.gallery.command import gallery
from video_recommender.video_file import VideoError

RUNNER = "video_recommender.runner.IncrementalRunner"
MENDABLE = (ValueError, DatasetError, ParameterValidationError, OSError, VideoError)


class _Run(click.Command):
    """Kedro's own command, but for its runner and the way it tells of errors."""

    def invoke(self, ctx: click.Context) -> Any:
        ctx.params["runner"] = ctx.params["runner"] or RUNNER
        warnings.filterwarnings("ignore", "Option '--pipeline' is deprecated", KedroDeprecationWarning)
        _refuse_unknown_pipelines(ctx.params["pipelines"] or ctx.params["pipeline"])
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _close_mlflow_run()  # Kedro's error hooks see no interrupts
            raise
        except MENDABLE as error:
            logging.getLogger(__name__).debug("The run has failed", exc_info=error)
            raise click.ClickException(str(error)) from error


def _close_mlflow_run() -> None:
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].end_run("KILLED")


def _refuse_unknown_pipelines(asked: str | list[str] | None) -> None:
    known = {found.name for found in iter_modules(pipelines.__path__)} | {"__default__"}
    unknown = {asked} - known if isinstance(asked, str) else set(asked or ()) - known
    if unknown:
        raise click.ClickException(
            f"There is no pipeline {', '.join(sorted(unknown))}: choose from {', '.join(sorted(known))}"
        )


@click.group()
def cli() -> None:
    """Commands of this project."""


run = _Run("run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)
cli.add_command(run)
cli.add_command(gallery)
