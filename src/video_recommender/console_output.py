"""Suppresses console messages of dependencies."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

QUIET_LOGGERS = (
    "alembic",
    "mlflow",
    "tensorflow",
    "kedro_viz.integrations.kedro",  # warns if a run has only one stage, or is outside a project folder
)
HARMLESS_WARNINGS = (
    r".*register_new_resolver\(\) is deprecated",
    r"Hint: Inferred schema contains integer column",
    r"\d+ tasks (have been successfully executed|which were still being processed)",  # if a run is interrupted
    r"Port \d+ is already in use",  # Dask uses another port for its dashboard, and the run logs the address
)


def quiet_libraries() -> None:
    """Set the loggers of dependencies to errors only, and ignore their harmless warnings."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=UserWarning)


@contextlib.contextmanager
def suppress_stderr() -> Iterator[None]:
    """Discard the output of C++ code to the standard error stream, such as TensorFlow's start-up messages."""
    original = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(null)
