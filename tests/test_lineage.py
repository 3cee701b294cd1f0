"""The pipelines in kedro-viz."""

import logging
from pathlib import Path

import pytest
from kedro.framework.startup import bootstrap_project

COMPOSED = {"__default__"}
ROOT = Path(__file__).parents[1]


def test_every_pipeline_has_layers_and_one_modular_pipeline_per_stage(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kedro_viz.api.rest.responses.pipelines import get_pipeline_response
    from kedro_viz.data_access import data_access_manager
    from kedro_viz.server import load_and_populate_data

    monkeypatch.chdir(ROOT)
    bootstrap_project(ROOT)

    with caplog.at_level(logging.WARNING):
        load_and_populate_data(ROOT)
        responses = {
            known.id: get_pipeline_response(known.id) for known in data_access_manager.registered_pipelines.as_list()
        }

    assert [record.message for record in caplog.records] == []
    assert {"raw", "primary", "models"} < set(responses["__default__"].layers)
    assert responses["__default__"].layers[-1] == "reporting"
    for name, pipeline in responses.items():
        stages = {node.id for node in pipeline.nodes if node.type == "modularPipeline"}
        assert stages == {name} or (name in COMPOSED and len(stages) >= 5), name
