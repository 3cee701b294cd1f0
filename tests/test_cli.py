"""The project's own `kedro run`: what it says before it even looks for a project."""

from click.testing import CliRunner

from video_recommender.cli import cli


def test_help_is_kedros_own() -> None:
    result = CliRunner().invoke(cli, ["run", "--help"])

    assert result.exit_code == 0
    assert "--from-nodes" in result.output
