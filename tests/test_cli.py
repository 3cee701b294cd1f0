"""The project's own `kedro run`: what it refuses before it even looks for a project."""

import pytest
from click.testing import CliRunner

from video_recommender.cli import cli


@pytest.mark.parametrize("arguments", [["--pipelines=ingestion,detektion"], ["--pipeline=detektion"]])
def test_an_unknown_pipeline_is_refused_with_those_that_exist(arguments) -> None:
    result = CliRunner().invoke(cli, ["run", *arguments])

    assert result.exit_code == 1
    assert "There is no pipeline detektion: choose from" in result.output
    assert "recommendation" in result.output


def test_help_is_kedros_own() -> None:
    result = CliRunner().invoke(cli, ["run", "--help"])

    assert result.exit_code == 0
    assert "--from-nodes" in result.output
