"""The project's `kedro run`: it does only what is not done yet, and says in a sentence what a user can mend."""

import atexit
import gc
import logging
import sys
import warnings
from pkgutil import iter_modules
from traceback import clear_frames
from typing import Any

import click
from kedro import KedroDeprecationWarning
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines as project_pipelines
from kedro.io import DatasetError
from kedro.pipeline import Pipeline
from kedro.validation import ParameterValidationError

from video_recommender import pipelines
from video_recommender.cli_errors import full_node_names, in_a_sentence, refused_parameters
from video_recommender.gallery.command import gallery
from video_recommender.media.video import VideoError

RUNNER = "video_recommender.incremental.runner.IncrementalRunner"
MENDABLE = (ValueError, DatasetError, OSError, VideoError)
NODE_OPTIONS = ("node_names", "from_nodes", "to_nodes")
OBJECTS_BEFORE_COLLECTION = 100_000
"""Python's 700 to 2,000 make it look for garbage thousands of times among what modules leave for good."""


class _Run(click.Command):
    """Kedro's own command, but for its runner and the way it tells of errors."""

    def invoke(self, ctx: click.Context) -> Any:
        thresholds = gc.get_threshold()
        gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)  # or Python spends a second on looking for garbage before it ends
        ctx.params["runner"] = ctx.params["runner"] or RUNNER
        warnings.filterwarnings("ignore", "Option '--pipeline' is deprecated", KedroDeprecationWarning)
        _refuse_unknown_pipelines(ctx.params["pipelines"] or ctx.params["pipeline"])
        try:
            _complete_node_names(ctx)
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _close_mlflow_run()  # Kedro's error hooks see no interrupts
            raise
        except ParameterValidationError as error:
            raise click.ClickException(refused_parameters(error)) from error
        except MENDABLE as error:
            logging.getLogger(__name__).debug("The run has failed", exc_info=error)
            clear_frames(error.__traceback__)  # closes the node that was at work, and so its workers
            raise click.ClickException(in_a_sentence(error)) from error
        finally:
            gc.set_threshold(*thresholds)


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


def _complete_node_names(ctx: click.Context) -> None:
    """Let nodes be called by their function's name alone, as in `--nodes=detect_objects`."""
    asked = {option: ctx.params[option] for option in NODE_OPTIONS if ctx.params[option]}
    if asked:
        known = sum(project_pipelines.values(), start=Pipeline([]))
        ctx.params.update({option: list(full_node_names(names, known)) for option, names in asked.items()})


@click.group()
def cli() -> None:
    """Commands of this project."""


run = _Run("run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)
cli.add_command(run)
cli.add_command(gallery)
