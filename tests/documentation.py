"""The pages of the documentation, and the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "conf/**/*.md", "benchmarks/*.md", "notebooks/*.md", "src/**/README.md")
    for page in ROOT.glob(pattern)
)
CONSOLE_BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
FENCED_BLOCK = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
INLINE_COMMAND = re.compile(r"`((?:kedro|make|python|mlflow|pytest|docker|dask) [^`…]+)`")
COMMENT = re.compile(r"(?:^|\s+)#.*")


@dataclass(frozen=True)
class Command:
    """A command, and the first page that shows it."""

    line: str
    page: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)


def documented_commands() -> list[Command]:
    """Every command of the pages once, in the order of the pages."""
    found: dict[str, Command] = {}
    for page in PAGES:
        for line in _commands(ROOT.joinpath(page).read_text()):
            found.setdefault(line, Command(line, page))
    return list(found.values())


def _commands(text: str) -> Iterator[str]:
    for block in CONSOLE_BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if command := " ".join(COMMENT.sub("", line).split()):
                yield command
    yield from (" ".join(command.split()) for command in INLINE_COMMAND.findall(FENCED_BLOCK.sub("", text)))
