"""The project's command line: `kedro run` with short error messages, and `kedro gallery`."""

import atexit
import gc
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
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
from video_recommender.gallery.command import gallery
from video_recommender.incremental import UnexpectedFailuresError
from video_recommender.media.video import VideoError
from video_recommender.storage.paths import is_disk_full

USER_ERRORS = (ParameterValidationError, ValueError, DatasetError, OSError, VideoError, UnexpectedFailuresError)
NODE_OPTIONS = ("node_names", "from_nodes", "to_nodes")
# With Python's default of 700 to 2,000, imports trigger thousands of unnecessary collections
GARBAGE_THRESHOLD = 100_000


class RunCommand(click.Command):
    """Kedro's `run` command with short error messages."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the pipelines; convert errors that the user can correct to a `ClickException`."""
        thresholds = gc.get_threshold()
        gc.set_threshold(GARBAGE_THRESHOLD)
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)  # skips the last garbage collection, which takes about a second
        warnings.filterwarnings("ignore", "Option '--pipeline' is deprecated", KedroDeprecationWarning)
        _check_pipeline_names(ctx.params["pipelines"] or ctx.params["pipeline"])
        try:
            _complete_node_names(ctx)
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if "mlflow" in sys.modules:
                sys.modules["mlflow"].end_run("KILLED")  # Kedro calls no error hook after an interrupt
            raise
        except USER_ERRORS as error:
            logging.getLogger(__name__).debug("The run failed", exc_info=error)
            clear_frames(error.__traceback__)  # closes the generator of the failed node, which stops its workers
            raise click.ClickException(describe_error(error)) from error
        finally:
            gc.set_threshold(*thresholds)


def describe_error(error: Exception) -> str:
    """Return the message of an error; for a full disk, one line that says what to do."""
    if not is_disk_full(error):
        return str(error)
    reason = " ".join(str(error).split())
    return (
        f"The disk is full ({reason}): free disk space, or set `data` in conf/local/globals.yml to a folder on another "
        "disk. Then run again; completed work is kept"
    )


def full_node_names(names: Sequence[str], pipeline: Pipeline) -> Iterator[str]:
    """Add the missing namespaces to node names, or raise a `ValueError` if a node does not exist."""
    full = {name: node.name for node in pipeline.nodes for name in (node.short_name, node.name)}
    for name in names:
        if name not in full:
            similar = get_close_matches(name, [node.short_name for node in pipeline.nodes], n=2)
            hint = f"did you mean {' or '.join(similar)}?" if similar else "`kedro registry describe` lists all nodes"
            raise ValueError(f"Unknown node {name}: {hint}")
        yield full[name]


def _check_pipeline_names(names: str | list[str] | None) -> None:
    known = {module.name for module in iter_modules(pipelines.__path__)} | {"__default__"}
    unknown = {names} - known if isinstance(names, str) else set(names or ()) - known
    if unknown:
        raise click.ClickException(
            f"Unknown pipeline {', '.join(sorted(unknown))}: choose from {', '.join(sorted(known))}"
        )


def _complete_node_names(ctx: click.Context) -> None:
    names = {option: ctx.params[option] for option in NODE_OPTIONS if ctx.params[option]}
    if names:
        known = sum(project_pipelines.values(), start=Pipeline([]))
        ctx.params.update({option: list(full_node_names(given, known)) for option, given in names.items()})


@click.group()
def cli() -> None:
    """Commands of this project."""


run = RunCommand("run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help)
cli.add_command(run)
cli.add_command(gallery)
