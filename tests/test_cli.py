"""The project's own `kedro run`: what it says before it even looks for a project."""

import gc

import click
import pytest
from click.testing import CliRunner

from video_recommender.cli import cli


def test_help_is_kedros_own() -> None:
    result = CliRunner().invoke(cli, ["run", "--help"])

    assert result.exit_code == 0
    assert "--from-nodes" in result.output


def test_garbage_is_looked_for_less_often_during_a_run_only(monkeypatch: pytest.MonkeyPatch) -> None:
    before, during = gc.get_threshold(), []
    monkeypatch.setattr(click.Command, "invoke", lambda _self, _ctx: during.append(gc.get_threshold()))

    result = CliRunner().invoke(cli, ["run"])

    assert result.exit_code == 0, result.output
    assert during[-1][0] == 100_000  # the last one is of `run`, inside its group
    assert gc.get_threshold() == before
