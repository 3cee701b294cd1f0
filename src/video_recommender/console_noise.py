"""Keep the console for what concerns the user: dependencies speak only when something is wrong."""

import logging
import os
import warnings

TALKATIVE = ("alembic", "mlflow", "tensorflow")


def silence_dependencies() -> None:
    """Mute what dependencies report of themselves; their warnings and errors about this run still show."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=r".*register_new_resolver\(\) is deprecated", category=UserWarning)
