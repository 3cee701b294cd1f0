"""Records runs in MLflow: parameters, metrics, figures, tables, and models with signatures.

A dataset is tracked if its catalog entry has `metadata: {mlflow: {as: …}}` with one of these values:

- `metrics`, `figure` or `table`
- `history`: a table with one row per step. `step` is the column with the step number; the values of the column `series`
  are logged as separate metrics.
- `model` (scikit-learn) or `keras_model`. `input_example` is a dataset with inputs of the model: a table, or frames.
"""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel, Field

from video_recommender.console_output import quiet_libraries
from video_recommender.incremental.runner import parameter_groups, stage_of
from video_recommender.sources.web_options import strip_credentials

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray
    from sklearn.base import BaseEstimator

    from video_recommender.media.frames import FrameFolder
    from video_recommender.storage.partitions import Partitions

MODELS = ("model", "keras_model")
SQLITE = "sqlite:///"  # MLflow stores artifacts in the folder of such a database
CURRENT_ALIAS = "current"  # `models:/<name>@current` is the latest version of a model
EXAMPLE_ROWS = 3
KERAS_REQUIREMENTS = ("numpy", "keras", "tensorflow")
REQUIREMENTS = ("numpy", "pandas", "pandera", "pydantic", "scikit-learn", "scipy")


class MlflowOptions(BaseModel, extra="forbid", frozen=True):
    """Location of the recorded runs (mlflow.yml)."""

    tracking_uri: str
    experiment: str


class Tracking(BaseModel, extra="forbid", frozen=True):
    """The `mlflow` entry in the metadata of a dataset."""

    tracked_as: Literal["metrics", "figure", "table", "history", "model", "keras_model"] = Field(alias="as")
    input_example: str = ""
    step: str = ""
    series: str = ""


class MlflowTracking:
    """Records a Kedro run as one MLflow run, with the duration of each stage, unless all outputs are up to date.

    MLflow, whose import takes seconds, is imported when the first dataset is saved.
    """

    def __init__(self) -> None:
        self._is_running = False

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read the configuration."""
        self._options = MlflowOptions.model_validate(context.config_loader["mlflow"])
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Reset the state; end the previous run if it was interrupted in a notebook."""
        self._end("KILLED")
        self._name = "+".join(run_params["pipeline_names"] or ["__default__"])
        self._pipeline = pipeline
        self._catalog = catalog
        self._saved: set[str] = set()
        self._saving_stages: set[str] = set()
        self._started_at: dict[str, float] = {}
        self._durations: defaultdict[str, float] = defaultdict(float)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Store the start time of a node."""
        self._started_at[node.name] = perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Add the duration of the node to that of its stage."""
        if node.name in self._started_at:  # skipped nodes have no start time
            self._durations[stage_of(node)] += perf_counter() - self._started_at.pop(node.name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Track a dataset if its catalog entry has tracking metadata."""
        is_empty = isinstance(data, dict) and not data
        if is_empty or isinstance(self._catalog[dataset_name], MemoryDataset):  # nothing was saved
            return
        if not self._is_running:
            self._start()
        self._saved.add(dataset_name)
        self._saving_stages.add(stage_of(node))
        tracking = self._tracking(dataset_name)
        if tracking is not None:
            self._track(dataset_name, data, tracking)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Track also the outputs that were up to date, so that runs are comparable, and end the run."""
        if self._is_running:
            for name in sorted(self._pipeline.all_outputs() - self._saved):
                tracking = self._tracking(name)
                if tracking is not None and tracking.tracked_as not in MODELS and self._catalog.exists(name):
                    self._track(name, self._catalog.load(name), tracking)
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """End the MLflow run with the status `FAILED`."""
        self._end("FAILED")

    def _start(self) -> None:
        import mlflow

        quiet_libraries()  # again, because importing MLflow resets its loggers
        uri, experiment = self._options.tracking_uri, self._options.experiment
        mlflow.set_tracking_uri(uri)
        if uri.startswith(SQLITE) and mlflow.get_experiment_by_name(experiment) is None:
            artifacts = Path(uri.removeprefix(SQLITE)).resolve().with_name("mlruns") / experiment
            mlflow.create_experiment(experiment, artifacts.as_uri())  # the default is in the working directory
        mlflow.set_experiment(experiment)
        mlflow.start_run(run_name=self._name)
        self._is_running = True
        used = {name: self._parameters[name] for name in parameter_groups(self._pipeline) & self._parameters.keys()}
        flat = pd.json_normalize(used).iloc[0].items()
        # sources can be URLs with a password
        mlflow.log_params({str(name): strip_credentials(str(value)) for name, value in flat})

    def _end(self, status: str) -> None:
        if not self._is_running:
            return
        import mlflow

        self._is_running = False
        if mlflow.active_run() is not None:
            mlflow.log_metrics({f"duration_s/{stage}": self._durations[stage] for stage in self._saving_stages})
            mlflow.end_run(status)

    def _tracking(self, name: str) -> Tracking | None:
        metadata = getattr(self._catalog[name], "metadata", None) or {}
        return Tracking.model_validate(metadata["mlflow"]) if "mlflow" in metadata else None

    def _track(self, name: str, data: Any, tracking: Tracking) -> None:
        import mlflow

        match tracking.tracked_as:
            case "metrics":
                mlflow.log_metrics({key: value for key, value in data.items() if isinstance(value, int | float)})
            case "figure":
                mlflow.log_figure(data, f"{name}.html")
            case "table" | "history" as kind:
                mlflow.log_text(data.to_csv(), f"{name}.csv")
                if kind == "history":
                    _log_history(name, data, tracking)
            case "model" | "keras_model":
                self._log_model(name, data, tracking)

    def _log_model(self, name: str, model: "BaseEstimator | keras.Model", tracking: Tracking) -> None:
        import mlflow

        example = self._catalog.load(tracking.input_example)
        names = {"name": name, "registered_model_name": name}
        # MLflow prints each registered version, and Keras prints a progress bar
        with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
            if tracking.tracked_as == "keras_model":
                inputs = _network_input(example)
                mlflow.tensorflow.log_model(
                    model,
                    **names,
                    input_example=inputs,
                    signature=mlflow.models.infer_signature(inputs, np.asarray(model(inputs))),
                    pip_requirements=_pinned(KERAS_REQUIREMENTS),
                )
            else:
                mlflow.sklearn.log_model(
                    model,
                    **names,
                    input_example=example.head(EXAMPLE_ROWS),
                    serialization_format="cloudpickle",
                    code_paths=[str(Path(__file__).parent)],  # for servers without this package
                    pip_requirements=_pinned(REQUIREMENTS),
                )
        client = mlflow.MlflowClient()
        versions = client.search_model_versions(f"name = '{name}'")
        client.set_registered_model_alias(name, CURRENT_ALIAS, str(max(int(known.version) for known in versions)))


def _pinned(packages: Iterable[str]) -> list[str]:
    """Return the installed versions as requirements, which MLflow would otherwise infer in a new process."""
    return [f"{package}=={version(package)}" for package in packages]


def _log_history(name: str, table: pd.DataFrame, tracking: Tracking) -> None:
    """Log all numeric columns per step as `<name>/<series>/<column>`, without missing values."""
    import mlflow

    numbers = table.select_dtypes("number").drop(columns=tracking.step)
    for (_, row), series, step in zip(numbers.iterrows(), table[tracking.series], table[tracking.step], strict=True):
        known = {f"{name}/{series}/{column}": value for column, value in row.dropna().items()}
        mlflow.log_metrics(known, step=int(step))


def _network_input(example: "pd.DataFrame | Partitions[FrameFolder]") -> "NDArray[np.float32]":
    """Return the first rows of a table, or the first frames of the first video."""
    if isinstance(example, pd.DataFrame):
        return example.head(EXAMPLE_ROWS).to_numpy(np.float32)
    folder = next(iter(example.values()))()
    return folder.decode()[:EXAMPLE_ROWS].astype(np.float32)
