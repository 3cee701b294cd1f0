"""Keep the console for what concerns the user: dependencies speak only when something is wrong."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

TALKATIVE = ("alembic", "mlflow", "tensorflow")
HARMLESS = (
    r".*register_new_resolver\(\) is deprecated",
    r"Hint: Inferred schema contains integer column",
    r"\d+ tasks (have been successfully executed|which were still being processed)",  # when a run is stopped
    r"Port \d+ is already in use",  # Dask's dashboard takes another, and the run tells which
)


def quiet_libraries() -> None:
    """Mute what dependencies report of themselves; their errors still show."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message, category=UserWarning)


@contextlib.contextmanager
def suppress_stderr() -> Iterator[None]:
    """Mute what C++ code writes past Python, such as TensorFlow's greeting; exceptions still pass.

    Yields:
        While it is mute.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
