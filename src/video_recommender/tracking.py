"""What each run leaves in MLflow: parameters one by one, metrics, figures, tables and models with signatures.

What is tracked is said in the catalog: `metadata: {mlflow: {as: metrics}}`, or `figure`, `table`, or `history` (a table
whose column `step` counts, with a line per value of its column `series`), or `model` (of scikit-learn) or `keras_model`
with `input_example`, the dataset that shows what the model takes: a table, or pictures.
"""

from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel, ConfigDict, Field

from video_recommender.console_output import quiet_libraries
from video_recommender.incremental.stages import parameter_groups, stage_of
from video_recommender.sources.web_access import without_users
from video_recommender.tracking_stage_run import StageRun

if TYPE_CHECKING:
    import keras
    from mlflow import ActiveRun
    from numpy.typing import NDArray
    from sklearn.base import BaseEstimator

    from video_recommender.incremental.partitions import Partitions
    from video_recommender.media.frames import FrameFolder

MODELS = ("model", "keras_model")
CURRENT = "current"
EXAMPLE_ROWS = 3
KERAS_REQUIREMENTS = ("numpy", "keras", "tensorflow")
REQUIREMENTS = ("numpy", "pandas", "pandera", "pydantic", "scikit-learn", "scipy")


class MlflowOptions(BaseModel):
    """Where runs are recorded (mlflow.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str
    experiment: str


class Tracking(BaseModel):
    """How a dataset is tracked: its `metadata: {mlflow: …}` in the catalog."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracked_as: Literal["metrics", "figure", "table", "history", "model", "keras_model"] = Field(alias="as")
    input_example: str = ""
    step: str = ""
    series: str = ""


class MlflowTracking:
    """Records a Kedro run as an MLflow run, from the first thing that it makes on; making nothing records nothing.

    Within it there is a run per stage that made something, with its parameters, its metrics and how long it took. The
    whole run has all parameters, metrics, figures, tables and models, so that two of them can be compared at a glance.

    MLflow is imported only then: it takes seconds, which a run with nothing to do should not. That is why this is not
    kedro-mlflow, which also builds every dataset of the catalog at the start (and so imports TensorFlow), and logs a
    pydantic model as one string.
    """

    def __init__(self) -> None:
        self._run: ActiveRun | None = None
        self._stage: StageRun | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Read where to record."""
        self._options = MlflowOptions.model_validate(context.config_loader["mlflow"])
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Remember what is about to run."""
        self._name = "+".join(run_params["pipeline_names"] or ["__default__"])
        self._pipeline = pipeline
        self._catalog = catalog
        self._saved: set[str] = set()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Track what was saved, if the catalog says so."""
        if isinstance(data, dict) and not data:  # an update of partitions in which nothing was made
            return
        if self._run is None:
            self._run = self._start()
        self._stage = self._enter(stage_of(node), self._run)
        self._saved.add(dataset_name)
        tracking = self._tracking(dataset_name)
        if tracking is not None:
            self._track(dataset_name, data, tracking)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Add what was up to date already, so that each run shows all its figures, and close the run."""
        if self._run is not None:
            for name in sorted(self._pipeline.all_outputs() - self._saved):
                tracking = self._tracking(name)
                if tracking is not None and tracking.tracked_as not in MODELS and self._catalog.exists(name):
                    self._track(name, self._catalog.load(name), tracking)
        self._end("FINISHED")

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Close the run as failed."""
        self._end("FAILED")

    def _start(self) -> "ActiveRun":
        import mlflow

        quiet_libraries()  # again: importing MLflow has set its loggers anew
        mlflow.set_tracking_uri(self._options.tracking_uri)
        mlflow.set_experiment(self._options.experiment)
        run = mlflow.start_run(run_name=self._name)
        mlflow.log_params(self._flat_parameters(self._pipeline))
        return run

    def _enter(self, stage: str, run: "ActiveRun") -> StageRun:
        if self._stage is not None:
            if self._stage.stage == stage:
                return self._stage
            self._stage.end("FINISHED")
        nodes = Pipeline([node for node in self._pipeline.nodes if stage_of(node) == stage])
        return StageRun.start(stage, run, self._flat_parameters(nodes))

    def _flat_parameters(self, pipeline: Pipeline) -> dict[str, str]:
        groups = parameter_groups(pipeline)
        used = {name: value for name, value in self._parameters.items() if name in groups}
        flat = pd.json_normalize(used).iloc[0].items()
        return {str(name): without_users(str(value)) for name, value in flat}  # sources may be URLs with a password

    def _end(self, status: str) -> None:
        if self._stage is not None:
            self._stage.end(status)
            self._stage = None
        if self._run is not None:
            import mlflow

            mlflow.end_run(status)
            self._run = None

    def _tracking(self, name: str) -> Tracking | None:
        metadata = getattr(self._catalog[name], "metadata", None) or {}
        return Tracking.model_validate(metadata["mlflow"]) if "mlflow" in metadata else None

    def _track(self, name: str, data: Any, tracking: Tracking) -> None:
        import mlflow

        match tracking.tracked_as:
            case "metrics":
                metrics = {key: value for key, value in data.items() if isinstance(value, int | float)}
                mlflow.log_metrics(metrics)
                if self._stage is not None and name in self._saved:
                    self._stage.log_metrics(metrics)
            case "figure":
                mlflow.log_figure(data, f"{name}.html")
            case "table":
                mlflow.log_text(data.to_csv(), f"{name}.csv")
            case "history":
                mlflow.log_text(data.to_csv(), f"{name}.csv")
                _log_history(name, data, tracking)
            case "model":
                self._log_model(name, data, tracking)
            case "keras_model":
                self._log_keras_model(name, data, tracking)

    def _log_model(self, name: str, model: "BaseEstimator", tracking: Tracking) -> None:
        import mlflow

        with redirect_stderr(StringIO()):  # MLflow announces each registered version there
            mlflow.sklearn.log_model(
                model,
                name=name,
                registered_model_name=name,
                input_example=self._catalog.load(tracking.input_example).head(EXAMPLE_ROWS),
                serialization_format="cloudpickle",
                code_paths=[str(Path(__file__).parent)],  # so that it can be served where this package is not installed
                # named here, because MLflow would find them by loading the model in a new process, which is slow
                pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
            )
        _call_current(name)

    def _log_keras_model(self, name: str, model: "keras.Model", tracking: Tracking) -> None:
        import mlflow

        example = _network_input(self._catalog.load(tracking.input_example))
        # MLflow announces each registered version on the one, and Keras its trial of the example on the other
        with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
            mlflow.tensorflow.log_model(
                model,
                name=name,
                registered_model_name=name,
                input_example=example,
                signature=mlflow.models.infer_signature(example, np.asarray(model(example))),
                pip_requirements=[f"{package}=={version(package)}" for package in KERAS_REQUIREMENTS],
            )
        _call_current(name)


def _call_current(model: str) -> None:
    """Let `models:/<model>@current` be the version that was made last."""
    from mlflow import MlflowClient

    client = MlflowClient()
    versions = client.search_model_versions(f"name = '{model}'")
    client.set_registered_model_alias(model, CURRENT, str(max(int(known.version) for known in versions)))


def _log_history(name: str, table: pd.DataFrame, tracking: Tracking) -> None:
    """Log every column of numbers step by step, as `<name>/<series>/<column>`; values that are unknown are left out."""
    import mlflow

    numbers = table.select_dtypes("number").drop(columns=tracking.step)
    for (_, row), series, step in zip(numbers.iterrows(), table[tracking.series], table[tracking.step], strict=True):
        known = {f"{name}/{series}/{column}": value for column, value in row.dropna().items()}
        mlflow.log_metrics(known, step=int(step))


def _network_input(example: "pd.DataFrame | Partitions[FrameFolder]") -> "NDArray[np.float32]":
    """The first rows of a table, or the first pictures of the first folder of frames, as a network takes them."""
    if isinstance(example, pd.DataFrame):
        return example.head(EXAMPLE_ROWS).to_numpy(np.float32)
    folder = next(iter(example.usable().values())).load()
    return folder.decode()[:EXAMPLE_ROWS].astype(np.float32)
