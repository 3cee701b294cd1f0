"""Records of runs in MLflow."""

import time
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from kedro_datasets.pickle import PickleDataset
from pydantic import ValidationError

from video_recommender.tracking import MlflowOptions, MlflowTracking

DURATION = "duration_s/"
PARAMETERS = {
    "recommendation": {"neighbours": 3, "weights": {"first": 0.5, "second": None}, "names": ["cat", "dog"]},
    "ingestion": {"sources": ["https://me:s3cret@videos.example/cats"]},
    "detection": {"network": "efficientnet-lite0"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The MLflow store, which the tests share, because creating one takes seconds."""
    yield tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.set_tracking_uri(None)


@pytest.fixture
def run(store, tmp_path, monkeypatch, request):
    """Return a function that runs one node and returns the recorded MLflow runs."""
    monkeypatch.chdir(tmp_path)
    experiment = request.node.name
    options = {"tracking_uri": f"sqlite:///{store}", "experiment": experiment}

    def run_node(function, metadata=None, group="recommendation"):
        pipeline = Pipeline([Node(function, f"params:{group}", "made", name="make", namespace="stage")])
        catalog = DataCatalog(
            {
                f"params:{group}": MemoryDataset(PARAMETERS[group]),
                "made": PickleDataset(filepath=f"{tmp_path}/made.pickle", metadata=metadata),
            }
        )
        tracking = MlflowTracking()
        hooks = _create_hook_manager()
        hooks.register(tracking)
        tracking.after_context_created(SimpleNamespace(config_loader={"mlflow": options, "parameters": PARAMETERS}))
        tracking.before_pipeline_run({"pipeline_names": ["recommendation"]}, pipeline, catalog)
        try:
            SequentialRunner().run(pipeline, catalog, hooks)
        except ArithmeticError:
            tracking.on_pipeline_error()
        except KeyboardInterrupt:  # Kedro calls no hook; the next run ends this one
            tracking.before_pipeline_run({"pipeline_names": None}, pipeline, catalog)
        else:
            tracking.after_pipeline_run()
        if not store.exists():
            return []
        mlflow.set_tracking_uri(options["tracking_uri"])
        return mlflow.search_runs(experiment_names=[experiment], output_format="list")

    yield run_node
    mlflow.end_run()  # if the test did not end it


def test_the_tracking_uri_is_required():
    with pytest.raises(ValidationError, match="tracking_uri"):
        MlflowOptions.model_validate({"experiment": "videos"})


def test_a_run_without_outputs_creates_neither_an_mlflow_run_nor_a_store(run, store):
    def save_nothing(parameters):
        yield {}

    before = store.exists()

    assert run(save_nothing) == []
    assert store.exists() == before


def test_each_value_of_the_parameters_that_a_run_reads_is_logged_separately(run):
    (recorded,) = run(lambda parameters: {"made": 1})

    assert recorded.data.params == {
        "recommendation.neighbours": "3",
        "recommendation.weights.first": "0.5",
        "recommendation.weights.second": "None",
        "recommendation.names": "['cat', 'dog']",
    }
    assert recorded.info.run_name == "recommendation"
    assert recorded.info.status == "FINISHED"


def test_artifacts_are_stored_in_the_folder_of_the_sqlite_database(run, store):
    (recorded,) = run(lambda parameters: {"precision_at_10": 0.5})

    assert recorded.info.artifact_uri.startswith(store.with_name("mlruns").as_uri())


def test_a_password_in_a_url_is_not_logged(run):
    (recorded,) = run(lambda parameters: {"made": 1}, group="ingestion")

    assert recorded.data.params == {"ingestion.sources": "['https://videos.example/cats']"}


def test_missing_metrics_are_not_logged(run):
    metrics = {"precision_at_10": 0.5, "videos": 12, "map_at_10": None, "best": "logistic_regression"}

    (recorded,) = run(lambda parameters: metrics, {"mlflow": {"as": "metrics"}})

    assert metrics_of(recorded) == {"precision_at_10": 0.5, "videos": 12}


def test_the_duration_of_each_stage_is_logged_as_a_metric(run):
    def wait(parameters):
        time.sleep(0.05)
        return {"precision_at_10": 0.5}

    (recorded,) = run(wait)

    (duration,) = [value for name, value in recorded.data.metrics.items() if name.startswith(DURATION)]
    assert 0.05 <= duration < 5


def test_a_table_with_steps_is_logged_as_a_history(run):
    curve = pd.DataFrame({"agent": ["table", "table"], "steps": [10, 20], "earned": [1.5, 2.5], "regret": [0.5, None]})

    (recorded,) = run(lambda parameters: curve, {"mlflow": {"as": "history", "step": "steps", "series": "agent"}})

    history = mlflow.MlflowClient().get_metric_history(recorded.info.run_id, "made/table/earned")
    assert [(point.step, point.value) for point in history] == [(10, 1.5), (20, 2.5)]
    assert recorded.data.metrics["made/table/regret"] == 0.5


def test_a_dataset_without_metadata_is_not_tracked(run):
    (recorded,) = run(lambda parameters: {"precision_at_10": 0.5})

    assert metrics_of(recorded) == {}


@pytest.mark.parametrize(("error", "status"), [(ArithmeticError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_fails_or_is_interrupted_is_recorded_with_its_status(run, error, status):
    def save_one_and_stop(parameters):
        yield {"pets/cat": 1}
        raise error

    (recorded,) = run(save_one_and_stop)

    assert recorded.info.status == status
    assert mlflow.active_run() is None


def metrics_of(recorded):
    """Return the metrics of a run without the durations of its stages."""
    return {name: value for name, value in recorded.data.metrics.items() if not name.startswith(DURATION)}
