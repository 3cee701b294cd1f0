"""Fill the measured values of README, docs and notebooks from docs/results.json.

A page marks a value with `<!--result:section.key-->94 %<!--/-->`. The keys `machine` and
`duration` describe the measurement of a section. Spanish pages (`*.es.md`) use a decimal comma.

    python docs/scripts/update_pages.py            # update the pages
    python docs/scripts/update_pages.py --check    # exit with 1 if a page differs
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
RESULTS = PROJECT / "docs/results.json"
MARKER = re.compile(r"(<!--result:([\w.-]+)-->)(.*?)(<!--/-->)", re.DOTALL)
SPANISH_NUMBERS = str.maketrans(",.", ".,")


def main() -> int:
    """Update or check all pages, report unknown keys, and return the exit code."""
    texts = load_texts()
    problems = 0
    for page in list_pages():
        text = page.read_text(encoding="utf-8")
        filled, unknown = fill_page(text, texts, is_spanish=page.name.endswith(".es.md"))
        for key in unknown:
            print(f"{page.relative_to(PROJECT)}: unknown result {key}")
        problems += len(unknown)
        if filled != text and "--check" in sys.argv[1:]:
            print(f"{page.relative_to(PROJECT)}: differs from docs/results.json; run docs/scripts/update_pages.py")
            problems += 1
        elif filled != text:
            page.write_text(filled, encoding="utf-8")
            print(f"{page.relative_to(PROJECT)}: updated")
    return min(problems, 1)


def list_pages() -> list[Path]:
    """List the pages that can show results."""
    return [
        *sorted(PROJECT.glob("README*.md")),
        PROJECT / "benchmarks/README.md",
        *sorted((PROJECT / "docs").rglob("*.md")),
        *sorted((PROJECT / "notebooks").glob("*.ipynb")),
    ]


def load_texts() -> dict[str, str]:
    """Return the text of each result by `section.key`, and of each section's `machine` and `duration`."""
    texts = {}
    for name, section in json.loads(RESULTS.read_text(encoding="utf-8")).items():
        machine = section["machine"]
        texts[f"{name}.machine"] = f"{machine['cores']} cores of {machine['processor']}, {machine['memory']} of memory"
        texts[f"{name}.duration"] = f"{section['seconds'] / 60:.1f} min"
        texts |= {f"{name}.{key}": result["text"] for key, result in section["results"].items()}
    return texts


def fill_page(text: str, texts: Mapping[str, str], *, is_spanish: bool) -> tuple[str, list[str]]:
    """Replace the marked values of a page, and return the page and the unknown keys."""
    unknown = []

    def fill(marker: re.Match[str]) -> str:
        start, key, _, end = marker.groups()
        if key not in texts:
            unknown.append(key)
            return marker.group()
        is_number = is_spanish and "\n" not in texts[key]  # program output stays as it is
        value = texts[key].translate(SPANISH_NUMBERS) if is_number else texts[key]
        return f"{start}{value}{end}"

    return MARKER.sub(fill, text), unknown


if __name__ == "__main__":
    sys.exit(main())
