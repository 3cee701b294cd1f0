"""What a run says before it begins."""

import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog

from video_recommender.hooks import MissingInputHooks, UnknownParameterHooks


@pytest.fixture(autouse=True)
def project() -> None:
    configure_project("video_recommender")
    pipelines.set_requested(None)


def test_what_is_missing_is_named_with_the_pipelines_that_make_it() -> None:
    with pytest.raises(ValueError, match=r"no .*video_points.*kedro run --pipelines=.*feature_engineering"):
        MissingInputHooks().before_pipeline_run(pipelines["classification"], DataCatalog())


def test_a_parameter_that_nothing_reads_is_refused_by_name() -> None:
    asked = {"runtime_params": {"clasification": {"folds": 3}}}

    with pytest.raises(ValueError, match=r"parameter clasification: choose from classification, "):
        UnknownParameterHooks().before_pipeline_run(asked, pipelines["classification"])


@pytest.mark.parametrize("asked", [None, {}, {"classification": {"folds": 3}}, {"recommendation": {"neighbours": 3}}])
def test_a_parameter_of_any_pipeline_may_be_given(asked) -> None:
    UnknownParameterHooks().before_pipeline_run({"runtime_params": asked}, pipelines["classification"])
