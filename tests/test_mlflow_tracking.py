"""What a run leaves in MLflow, and that it leaves nothing where nothing was made."""

from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from video_recommender.tracking import MlflowOptions, MlflowTracking

PARENT = "mlflow.parentRunId"
PARAMETERS = {
    "recommendation": {"neighbours": 3, "weights": {"first": 0.5, "second": None}, "names": ["cat", "dog"]},
    "ingestion": {"sources": ["https://me:s3cret@videos.example/cats"]},
    "detection": {"network": "efficientnet-lite0"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty MLflow store; making one takes seconds, so that the tests share it."""
    yield tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.set_tracking_uri(None)


@pytest.fixture
def run(store, tmp_path, monkeypatch, request):
    """Run one node that reads the recommendation's parameters, and give the MLflow runs that it has left."""
    monkeypatch.chdir(tmp_path)
    experiment = request.node.name
    options = {"tracking_uri": f"sqlite:///{store}", "experiment": experiment}

    def run_node(function, metadata=None, group="recommendation"):
        pipeline = Pipeline([Node(function, f"params:{group}", "made", name="make")])
        catalog = DataCatalog(
            {
                f"params:{group}": MemoryDataset(PARAMETERS[group]),
                "made": MemoryDataset(metadata=metadata),
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
        else:
            tracking.after_pipeline_run()
        if not store.exists():
            return []
        mlflow.set_tracking_uri(options["tracking_uri"])
        runs = mlflow.search_runs(experiment_names=[experiment], output_format="list")
        return [run for run in runs if PARENT not in run.data.tags]

    yield run_node
    mlflow.end_run()  # if the test has left one open


def test_where_runs_are_recorded_must_be_said():
    with pytest.raises(ValidationError, match="tracking_uri"):
        MlflowOptions.model_validate({"experiment": "videos"})


def test_a_run_that_makes_nothing_leaves_no_mlflow_run_nor_even_a_store(run, store):
    def make_nothing(parameters):
        yield {}

    before = store.exists()

    assert run(make_nothing) == []
    assert store.exists() == before


def test_parameters_that_the_run_reads_are_logged_one_name_per_value(run):
    (recorded,) = run(lambda parameters: {"made": 1})

    assert recorded.data.params == {
        "recommendation.neighbours": "3",
        "recommendation.weights.first": "0.5",
        "recommendation.weights.second": "None",
        "recommendation.names": "['cat', 'dog']",
    }
    assert recorded.info.run_name == "recommendation"
    assert recorded.info.status == "FINISHED"


def test_a_password_in_a_url_is_not_logged(run):
    (recorded,) = run(lambda parameters: {"made": 1}, group="ingestion")

    assert recorded.data.params == {"ingestion.sources": "['https://videos.example/cats']"}


def test_metrics_that_could_not_be_measured_are_left_out(run):
    metrics = {"precision_at_10": 0.5, "videos": 12, "map_at_10": None, "best": "logistic_regression"}

    (recorded,) = run(lambda parameters: metrics, {"mlflow": {"as": "metrics"}})

    assert recorded.data.metrics == {"precision_at_10": 0.5, "videos": 12}


def test_a_stage_has_a_run_of_its_own_within_the_whole_one(run):
    (recorded,) = run(lambda parameters: {"precision_at_10": 0.5}, {"mlflow": {"as": "metrics"}})

    (stage,) = mlflow.search_runs(
        [recorded.info.experiment_id], f"tags.`{PARENT}` = '{recorded.info.run_id}'", output_format="list"
    )
    assert stage.data.metrics == recorded.data.metrics
    assert stage.data.params == recorded.data.params
    assert stage.info.status == "FINISHED"
    assert stage.info.end_time >= stage.info.start_time


def test_what_was_learnt_step_by_step_has_a_history(run):
    curve = pd.DataFrame({"agent": ["table", "table"], "steps": [10, 20], "earned": [1.5, 2.5], "regret": [0.5, None]})

    (recorded,) = run(lambda parameters: curve, {"mlflow": {"as": "history", "step": "steps", "series": "agent"}})

    history = mlflow.MlflowClient().get_metric_history(recorded.info.run_id, "made/table/earned")
    assert [(point.step, point.value) for point in history] == [(10, 1.5), (20, 2.5)]
    assert recorded.data.metrics["made/table/regret"] == 0.5


def test_what_the_catalog_does_not_say_to_track_is_not_tracked(run):
    (recorded,) = run(lambda parameters: {"precision_at_10": 0.5})

    assert recorded.data.metrics == {}


def test_a_run_that_fails_after_it_has_made_something_is_recorded_as_failed(run):
    def make_one_and_fail(parameters):
        yield {"pets/cat": 1}
        raise ArithmeticError

    (recorded,) = run(make_one_and_fail)

    (stage,) = mlflow.search_runs(
        [recorded.info.experiment_id], f"tags.`{PARENT}` = '{recorded.info.run_id}'", output_format="list"
    )
    assert recorded.info.status == stage.info.status == "FAILED"
    assert mlflow.active_run() is None
