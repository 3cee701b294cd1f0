"""What Kedro asks of the project: https://docs.kedro.org/en/stable/configure/settings/."""

from video_recommender.config_loader import ProjectConfigLoader
from video_recommender.console_output import quiet_libraries
from video_recommender.datasets.atomic_catalog import AtomicCatalog
from video_recommender.hooks import MissingInputHooks, RunSummaryHooks, UnknownParameterHooks
from video_recommender.tracking import MlflowTracking

quiet_libraries()

HOOKS = (UnknownParameterHooks(), MissingInputHooks(), MlflowTracking(), RunSummaryHooks())
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")
DATA_CATALOG_CLASS = AtomicCatalog
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "config_patterns": {"mlflow": ["mlflow*"]},
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
