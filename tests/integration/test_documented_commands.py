"""Every command that the documentation shows: it works, or a reason says why it is not run here."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
from click.testing import CliRunner
from documentation import ROOT, Command, documented_commands

from video_recommender.cli import cli

NOT_RUN = {
    r"^kedro run .*--env=youtube": "downloads videos from the web; test_downloads.py does so from a local server",
    r"^kedro run .*(--env=cluster|backend=dask)": "needs a cluster; test_cluster.py starts a local one",
    r"^kedro run .*--env=\w+": "the project of these tests has no other environments; CI runs --env=test",
    r"^kedro run .*segmentation\.model=": "needs the file of a large model; tests/networks has small ones",
    r"^kedro run .*<\w+>": "a pattern, not a command",
    r"^kedro run .*squared_confidence": "needs the change of the code that the page describes",
    r"^docker ": "needs Docker",
    r"^(conda|py|source|\.venv|cd|cp|mkdir|export|git|sudo|apt-get)\b": "commands of the operating system",
    r"^python -m http\.server": "a server of Python itself",
    r"^(python -m )?pip install": "changes the installed packages",
    r"^python -m venv": "make does the same in CI",
    r"^pytest": "this is pytest",
    r"^python -c": "a line of Python",
}
"""Regular expressions of commands, and why they are not run."""

ENDLESS = r"^(kedro (gallery|viz|jupyter|ipython|server|registry|catalog)|mlflow|dask|mkdocs)\b"
"""Servers, and commands of Kedro itself: their options are compared with their help."""

COMMANDS = documented_commands()
EXECUTED = [command for command in COMMANDS if not any(re.search(pattern, command.line) for pattern in NOT_RUN)]


def commands(pattern: str) -> pytest.MarkDecorator:
    chosen = [command for command in EXECUTED if re.match(pattern, command.line)]
    return pytest.mark.parametrize("command", chosen, ids=lambda command: command.line)


def help_of(words: list[str], folder: Path) -> str:
    """The help of an installed command, without its options."""
    first_option = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    names = [str(Path(sys.executable).with_name(words[0])), *words[1:first_option]]
    environment = {**os.environ, "COLUMNS": "200"}
    shown = subprocess.run([*names, "--help"], cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.fixture
def examples(project, clips, photos, tmp_path) -> dict[str, str]:
    """What replaces the paths and names of the documentation, by the pattern of these."""
    frames = project.data / "02_intermediate/frames"
    images = shutil.copytree(frames, tmp_path / "images", ignore=shutil.ignore_patterns(".state"))
    # Other tests count the models that the MLflow store of the project contains
    (project.root / "conf/local/mlflow.yml").write_text("tracking_uri: sqlite:///documented.db\n")
    return {
        r"=(/your/videos|/path/to/my_videos|my_videos)\b": f"={project.videos}",
        r"=/[\w/]+\.mp4\b": f"={clips / 'animals/clip-001.mp4'}",
        r"=/[\w/]*new_videos\b": f"={clips}",
        r"=/[\w/]*photos\b": f"={photos},ingestion.clips.clips_per_category=2",
        r"=/[\w/]*images\b": f"={images}",
        r"\[\w+/clip-\d+\]": "[things/clip-001]",
    }


@commands(r"kedro run\b")
def test_a_documented_run_succeeds(command: Command, examples: dict[str, str]) -> None:
    line = reduce(lambda text, pattern: re.sub(pattern, examples[pattern], text), examples, command.line)

    if "detector=finetuned" in line:
        CliRunner().invoke(cli, ["run", "--pipelines=transfer_learning"])
    result = CliRunner().invoke(cli, shlex.split(line)[1:])

    assert result.exit_code == 0, result.output


@commands(ENDLESS)
def test_the_options_of_a_documented_command_exist(command: Command, project) -> None:
    shown = help_of(command.words, project.root)

    for word in command.words:
        if word.startswith("--"):
            assert word.partition("=")[0] in shown


@commands(r"python (benchmarks|docs)/")
def test_a_documented_script_has_these_options(command: Command) -> None:
    shown = help_of(command.words, ROOT)

    for word in command.words:
        if word.startswith("--"):
            assert word in shown


@commands(r"make\b")
def test_a_documented_target_is_in_the_makefile(command: Command) -> None:
    assert re.search(rf"^{command.words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_no_documented_command_is_forgotten() -> None:
    checked = rf"{ENDLESS}|kedro run\b|python (benchmarks|docs)/|make\b"

    assert [command for command in EXECUTED if not re.match(checked, command.line)] == []


def test_every_exception_is_needed() -> None:
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, command.line) for command in COMMANDS)] == []
