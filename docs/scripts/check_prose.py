"""Check the project's English with proselint and with the project's own word list, word_list.yml.

Covers Markdown pages, notebooks, comments of YAML and TOML files, page templates, and the docstrings, comments and
messages of the code. Skips Spanish pages, code blocks and text in backticks. Prints one line per finding, and exits
with 1 if there is any.

    python docs/scripts/check_prose.py                       # all files that Git knows
    python docs/scripts/check_prose.py README.md src         # these files and folders
"""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import yaml
from proselint.checks import __register__ as proselint_checks
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, types
from proselint.tools import LintFile

PROJECT = Path(__file__).parents[2]
WORDS: dict[str, str] = yaml.safe_load((Path(__file__).parent / "word_list.yml").read_text())
SKIPPED_FILES = (
    "LICENSE",
    "README.es.md",
    "docs/scripts/word_list.yml",
    "docs/tutorial.es.md",
    "requirements",
    "src/video_recommender/gallery/static/pico",
)
# What these report is wanted here: technical uses of words, numbers with units, and names of tools
SKIPPED_CHECKS = (
    "annotations",
    "dates_times.am_pm",
    "lexical_illusions",
    "misc.capitalization",
    "misc.phrasal_adjectives",
    "needless_variants",
    "restricted",
    "terms",
    "typography",
)
MARKDOWN_CODE = re.compile(
    r"^( *)(```|~~~).*?^\1\2|`[^`\n]*`|<!--.*?-->|\]\([^)]*\)|https?://\S+", re.DOTALL | re.MULTILINE
)
TEMPLATE_CODE = re.compile(r"<(script|style).*?</\1>|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>|&\w+;", re.DOTALL)
QUOTED_CODE = re.compile(r"`[^`\n]*`|https?://\S+")
WORDS_OF_PROSE = 3
"""String literals with fewer words are keys and names, not messages."""


def main() -> int:
    """Check the files that the command line names, or all."""
    proselint = CheckRegistry()
    proselint.register_many(proselint_checks)
    proselint.register(
        Check(types.PreferredFormsSimple(WORDS), path="word_list", message="Write '{}' instead of '{}'.")
    )
    # The first key that is a prefix of a check decides, so the exceptions come first
    enabled = {**dict.fromkeys(SKIPPED_CHECKS, False), "word_list": True}
    enabled = {**enabled, **{name: on for name, on in DEFAULT["checks"].items() if name not in enabled}}
    findings = 0
    for path in listed_files(sys.argv[1:]):
        for line, text in prose_of(path):
            if not text.strip():
                continue
            for result in LintFile(str(path), text).lint({"max_errors": 1000, "checks": enabled}):
                print(f"{path}:{line + result.pos[0] - 2}: {result.check_result.message}")
                findings += 1
    print(f"{findings} findings." if findings else "No findings.")
    return min(findings, 1)


def listed_files(arguments: list[str]) -> list[Path]:
    """List the files that Git tracks or would add, below the arguments."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *arguments]
    names = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [Path(name) for name in names if not name.startswith(SKIPPED_FILES) and (PROJECT / name).is_file()]


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the passages of a file, each with the number of its first line."""
    text = (PROJECT / path).read_text(encoding="utf-8", errors="ignore")
    match path.suffix:
        case ".md":
            yield 1, blank(MARKDOWN_CODE, text)
        case ".html":
            yield 1, blank(TEMPLATE_CODE, text)
        case ".ipynb":
            cells = json.loads(text)["cells"]
            yield from ((1, blank(MARKDOWN_CODE, "".join(c["source"]))) for c in cells if c["cell_type"] == "markdown")
        case ".yml" | ".yaml" | ".toml" | "" if path.suffix or path.name in {"Makefile", "Dockerfile"}:
            yield 1, blank(QUOTED_CODE, "\n".join(line.partition("# ")[2] for line in text.splitlines()))
        case ".py":
            yield from python_prose(text, with_messages=path.parts[0] != "tests")


def python_prose(source: str, *, with_messages: bool) -> Iterator[tuple[int, str]]:
    """Yield the comments and docstrings of a module, and its messages: string literals of several words."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], blank(QUOTED_CODE, token.string.lstrip("# "))
    nodes = list(ast.walk(ast.parse(source)))
    for node in nodes if with_messages else [node.value for node in nodes if isinstance(node, ast.Expr)]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") >= WORDS_OF_PROSE:
            yield node.lineno, blank(QUOTED_CODE, node.value.encode(errors="replace").decode())


def blank(pattern: re.Pattern[str], text: str) -> str:
    """Replace matches by dots: line numbers stay the same, and the words around them do not become neighbours."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", "·", match.group()), text)


if __name__ == "__main__":
    sys.exit(main())
