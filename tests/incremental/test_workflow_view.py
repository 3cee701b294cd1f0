"""kedro-viz's Workflow view: status and duration of each node."""

import json

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_viz.api.rest.responses.run_events import get_run_status_response
from kedro_viz.integrations.kedro.hooks import DatasetStatsHook
from kedro_viz.integrations.kedro.hooks_utils import hash_node
from kedro_viz.integrations.kedro.run_hooks import PipelineRunStatusHook

from video_recommender.incremental.runner import IncrementalRunner

PIPELINE = Pipeline(
    [
        Node(lambda words: {"words": len(words)}, "words", "counts", name="count_words", namespace="counting"),
        Node(lambda counts: {"chars": str(counts)}, "counts", "text", name="write_text", namespace="writing"),
    ],
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Create a folder that kedro-viz recognises as a Kedro project, and return its catalog."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.kedro]\npackage_name = "words"\nproject_name = "words"\nkedro_init_version = "1.7.0"\n'
    )
    monkeypatch.chdir(tmp_path)
    names = ["words", "counts", "text", "node_ledger"]
    (tmp_path / "words.json").write_text(json.dumps(["a", "b"]))
    return DataCatalog({name: JSONDataset(filepath=f"{tmp_path}/{name}.json") for name in names})


def run(catalog):
    """Run as a Kedro session does, with new instances of kedro-viz's hooks."""
    hooks = _create_hook_manager()
    hooks.register(PipelineRunStatusHook())
    hooks.register(DatasetStatsHook())
    runner = IncrementalRunner()
    parameters = {"runner": str(runner), "pipeline_names": None}
    hooks.hook.after_catalog_created(
        catalog=catalog, conf_catalog={}, conf_creds={}, parameters={}, save_version="1", load_versions={}
    )
    hooks.hook.before_pipeline_run(run_params=parameters, pipeline=PIPELINE, catalog=catalog)
    result = runner.run(PIPELINE, catalog, hooks, run_id="1")
    hooks.hook.after_pipeline_run(run_params=parameters, run_result=result, pipeline=PIPELINE, catalog=catalog)
    return get_run_status_response().nodes


def test_each_node_has_a_status_and_a_duration_even_if_it_is_up_to_date(project, caplog):
    for _ in range(2):
        nodes = run(project)

        assert nodes.keys() == {hash_node(node) for node in PIPELINE.nodes}
        assert {node.status.value for node in nodes.values()} == {"success"}
        assert all(node.duration >= 0 for node in nodes.values())
    assert not [record for record in caplog.records if record.name.startswith("kedro_viz")]
