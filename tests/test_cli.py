"""The command `kedro run` of this project, without loading a project."""

import errno
import gc
import sys
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from kedro.pipeline import Node, Pipeline

from video_recommender.cli import cli, describe_error, full_node_names

PIPELINE = Pipeline([Node(sum, "frames", "total", name="add_frames", namespace="preprocessing")])


def test_the_help_is_that_of_kedro() -> None:
    result = CliRunner().invoke(cli, ["run", "--help"])

    assert result.exit_code == 0
    assert "--from-nodes" in result.output


def test_garbage_collection_is_less_frequent_only_during_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before, during = gc.get_threshold(), []
    monkeypatch.setattr(click.Command, "invoke", lambda _self, _ctx: during.append(gc.get_threshold()))

    result = CliRunner().invoke(cli, ["run"])

    assert result.exit_code == 0, result.output
    assert during[-1][0] == 100_000  # the last call is that of `run`
    assert gc.get_threshold() == before


@pytest.mark.parametrize("name", ["add_frames", "preprocessing.add_frames"])
def test_a_node_can_be_selected_without_its_stage(name: str) -> None:
    assert list(full_node_names([name], PIPELINE)) == ["preprocessing.add_frames"]


def test_an_unknown_node_is_rejected_with_similar_names() -> None:
    with pytest.raises(ValueError, match=r"Unknown node add_frmes: did you mean add_frames\?"):
        list(full_node_names(["add_frmes"], PIPELINE))


def test_the_message_for_a_full_disk_says_what_to_do() -> None:
    error = RuntimeError("Failed while saving\nframes")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")

    message = describe_error(error)

    assert message.startswith("The disk is full (Failed while saving frames): free disk space")
    assert "\n" not in message


def test_any_other_error_keeps_its_message() -> None:
    assert describe_error(ValueError("The folder is empty")) == "The folder is empty"


def test_an_interrupted_run_is_recorded_as_killed_in_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_command: click.Command, ctx: click.Context) -> None:
        if ctx.info_name == "run":
            raise KeyboardInterrupt

    statuses: list[str] = []
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(end_run=statuses.append))
    monkeypatch.setattr(click.Command, "invoke", interrupt)

    result = CliRunner().invoke(cli, ["run"])

    assert result.exit_code == 1
    assert statuses == ["KILLED"]
