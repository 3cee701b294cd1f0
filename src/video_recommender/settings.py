"""Settings of the Kedro project: https://docs.kedro.org/en/stable/configure/settings/."""

from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from video_recommender.console_output import quiet_libraries
from video_recommender.datasets.atomic_catalog import AtomicCatalog
from video_recommender.hooks import MissingInputHooks, ParameterHooks, RunSummaryHooks
from video_recommender.incremental import use_incremental_runner
from video_recommender.tracking import MlflowTracking


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's configuration loader, but always with the credentials of `conf/local`, which Git ignores.

    With Kedro's loader, `--env=youtube` would read credentials from `conf/youtube`, which Git tracks.
    """

    def __init__(self, conf_source: str | Path, env: str | None = None, *args: Any, **options: Any) -> None:
        """Create the loader, or raise a `ValueError` if the environment does not exist."""
        folder = Path(conf_source)
        if env and folder.is_dir() and not (folder / env).is_dir():
            known = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir()))
            raise ValueError(f"Unknown environment {env} in {folder}: choose from {known}")
        super().__init__(conf_source, env, *args, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return the configuration of one type, such as `parameters`."""
        if key != "credentials" or self.env in {None, self.default_run_env}:
            return super().__getitem__(key)
        local = OmegaConfigLoader(self.conf_source, base_env=self.base_env, default_run_env=self.default_run_env)
        return local[key]


quiet_libraries()
use_incremental_runner()

HOOKS = (MissingInputHooks(), ParameterHooks(), MlflowTracking(), RunSummaryHooks())
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
DATA_CATALOG_CLASS = AtomicCatalog
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "config_patterns": {"mlflow": ["mlflow*"]},
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
