"""Pages of the documentation: plain Markdown, with links that work, and up to date with the code."""

import re
import subprocess
import sys
from itertools import chain

import pytest
from documentation import FENCED_BLOCK, PAGES, ROOT

from video_recommender import schemas

LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
SITE_ONLY = re.compile(r'^(!!! |\?\?\? |=== "|::: )|--8<--|\{ ?[.#:]|<div|hl_lines', re.MULTILINE)
REFERENCE = "docs/reference/"
DATA_DICTIONARY = "docs/reference/data.md"
READABLE = [page for page in PAGES if not page.startswith(REFERENCE) or page == DATA_DICTIONARY]
TABLES = [table for name, table in vars(schemas).items() if name in schemas.__all__ and isinstance(table, type)]


def anchors(text: str) -> set[str]:
    """The anchors that a code host gives to the headings of a page."""
    titles = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(text)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", READABLE)
def test_a_page_is_plain_markdown_that_a_code_host_can_show(page: str) -> None:
    text = (ROOT / page).read_text()

    assert [match.group() for match in SITE_ONLY.finditer(FENCED_BLOCK.sub("", text))] == []
    assert [line for line in text.splitlines() if re.match(r" *```\w+ ", line)] == []


@pytest.mark.parametrize("page", READABLE)
def test_links_lead_to_files_and_headings_that_exist(page: str) -> None:
    text = FENCED_BLOCK.sub("", (ROOT / page).read_text())

    for target, anchor in LINK.findall(text):
        file = ((ROOT / page).parent / target).resolve()
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text()), f"{target}#{anchor}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_column_of_a_table_is_described(table: type) -> None:
    schema = table.to_schema()

    for name, column in chain(schema.columns.items(), [("index", schema.index)] if schema.index else []):
        assert column.description, name
        assert not column.description.endswith("."), name


def test_the_data_dictionary_and_the_diagrams_are_up_to_date() -> None:
    command = [sys.executable, ROOT / "docs/scripts/generate_pages.py", "--check"]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr
