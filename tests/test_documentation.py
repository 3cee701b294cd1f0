"""Measured values in README, docs and notebooks agree with docs/results.json, and no page states others."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SECTION_FIELDS = {"command", "date", "commit", "machine", "seconds", "results"}
MACHINE_FIELDS = {"processor", "cores", "memory", "python"}
RESULT_FIELDS = {"value", "text", "about", "data"}

FIGURE = re.compile(
    r"(?<![\w.,])\d[\d.,]*[\s\u00a0]?(?:%|(?:ms|s|min|kB|[MGT]i?B)\b)"  # 94 %, 2.9 s, 12 GB
    r"|(?<![\w.,])0[.,]\d{2,}(?![\w.,]*\d)"  # 0.92
)
NOT_PROSE = re.compile(
    r"<!--result:.*?<!--/-->|<!--.*?-->"
    r"|^( *)(```|~~~).*?^\1\2"
    r"|`[^`\n]*`|\]\([^)\n]*\)|https?://\S+",
    re.DOTALL | re.MULTILINE,
)
CONSTANTS: dict[str, set[str]] = {
    "README.md": {"4 GB", "5 GB", "0.5 GB"},  # requirements
    "README.es.md": {"4 GB", "5 GB", "0,5 GB"},
    "docs/ads.md": {"60 s", "0.01", "95 %"},
    "docs/detectors.md": {"80 %", "5 %", "70 %", "0.385", "0.346", "0.794"},  # definitions; a sample of a table
    "docs/download_videos.md": {"30 MB"},
    "docs/gallery.md": {"5 %"},
    "docs/how_it_works.md": {"1 %"},
    "docs/howto/own_classes.md": {"0.05"},
    "docs/reference/data.md": {"80 %", "85 %", "90 %", "95 %"},
    "docs/scale.md": {"0.99"},
    # Samples of output
    "docs/tutorial.md": {"4 GB", "6 GB", "0.18", "0.00", "0.01", "0.894082", "0.838883", "0.784375"},
    "docs/tutorial.es.md": {"4 GB", "6 GB", "0,18", "0,00", "0,01", "0.894082", "0.838883", "0.784375"},
}
"""Figures of a page that are parameters, definitions or sample output, not measurements."""


def load_script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


update_pages = load_script("docs/scripts/update_pages.py")
PAGES = {str(page.relative_to(ROOT)): page for page in update_pages.list_pages()}
SECTIONS = json.loads((ROOT / "docs/results.json").read_text(encoding="utf-8"))


def unmarked_figures(text: str) -> list[tuple[int, str]]:
    """List the figures outside of markers, code, comments and links, with their lines."""
    prose = NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", "·", match.group()), text)
    return [(prose.count("\n", 0, match.start()) + 1, match.group()) for match in FIGURE.finditer(prose)]


@pytest.mark.parametrize("name", PAGES)
def test_page_shows_the_values_of_the_results_file(name: str) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    filled, unknown = update_pages.fill_page(text, update_pages.load_texts(), is_spanish=name.endswith(".es.md"))
    assert not unknown, f"{name} shows results that docs/results.json does not contain: {', '.join(unknown)}"
    assert filled == text, f"{name} differs from docs/results.json: run `python docs/scripts/update_pages.py`"


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".md")])
def test_page_marks_every_measured_value(name: str) -> None:
    found = unmarked_figures(PAGES[name].read_text(encoding="utf-8"))
    measured = [f"{name}:{line}: {figure}" for line, figure in found if figure not in CONSTANTS.get(name, set())]
    assert not measured, (
        "Wrap measured values in <!--result:section.key-->…<!--/-->, or add constants to CONSTANTS:\n"
        + "\n".join(measured)
    )


@pytest.mark.parametrize("section", SECTIONS)
def test_section_of_results_states_its_origin(section: str) -> None:
    assert SECTIONS[section].keys() == SECTION_FIELDS
    assert all(SECTIONS[section].values())
    assert SECTIONS[section]["machine"].keys() == MACHINE_FIELDS
    assert all(result.keys() == RESULT_FIELDS for result in SECTIONS[section]["results"].values())


@pytest.mark.parametrize("section", SECTIONS)
def test_section_of_results_was_measured_with_the_command_of_make_results(section: str) -> None:
    source = (ROOT / "benchmarks/results.py").read_text(encoding="utf-8")
    commands = dict(re.findall(r'^    "(\w+)": "(\w+\.py.*)",$', source.partition("\nQUICK")[0], re.MULTILINE))
    assert SECTIONS[section]["command"] == f"python benchmarks/{commands[section]}"


def test_values_on_spanish_pages_have_a_decimal_comma() -> None:
    text = "<!--result:demo.seconds-->?<!--/--> y <!--result:demo.unknown-->7<!--/-->"
    filled, unknown = update_pages.fill_page(text, {"demo.seconds": "1,002.9 s"}, is_spanish=True)
    assert filled == "<!--result:demo.seconds-->1.002,9 s<!--/--> y <!--result:demo.unknown-->7<!--/-->"
    assert unknown == ["demo.unknown"]


def test_unmarked_figures_are_found_in_prose_only() -> None:
    text = "It takes 12 s.\n`5 ms` <!--result:a.b-->7 %<!--/--> [x](y-3 s) 224 pixels\n```\n4 GB\n```\nScore 0.92, 3.5%"
    assert unmarked_figures(text) == [(1, "12 s"), (6, "0.92"), (6, "3.5%")]
