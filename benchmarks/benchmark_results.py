"""Results of a benchmark in the form of docs/results.json, and the command-line option that all benchmarks share."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypedDict

Unit = Literal["share", "score", "ratio", "seconds", "megabytes", "count"]
Data = Literal["held-out", "training", "simulation", "timing", "size"]


class Result(TypedDict):
    """One measured value.

    Attributes:
        value: the number in its unit: a share in [0, 1], seconds, or megabytes of 10^6 bytes.
        text: the number as pages show it.
        about: what the number measures.
        data: what it was measured on.
    """

    value: float
    text: str
    about: str
    data: Data


def result(value: float, unit: Unit, about: str, data: Data = "timing") -> Result:
    """Describe one measured value."""
    return {"value": float(value), "text": format_value(float(value), unit), "about": about, "data": data}


def format_value(value: float, unit: Unit) -> str:
    """Format a value as English pages show it, with two or three significant digits."""
    match unit:
        case "share":
            percent = 100 * value
            return f"{percent:.1f} %" if 0 < percent < 0.95 or 99 < percent < 99.95 else f"{percent:.0f} %"
        case "seconds" if value < 0.095:
            return f"{1000 * value:.2g} ms"
        case "seconds":
            return f"{value:.2g} s" if value < 0.995 else f"{value:.1f} s" if value < 9.95 else f"{value:,.0f} s"
        case "megabytes":
            number, name = (
                (value, "MB") if value < 999.5 else (value / 1e3, "GB") if value < 1e6 else (value / 1e6, "TB")
            )
            return f"{number:.1f} {name}" if number < 9.95 else f"{number:,.0f} {name}"
        case "count":
            return f"{value:,.0f}"
    return f"{value:.1f}" if unit == "ratio" and value >= 2 else f"{value:.2f}"


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Create the parser of a benchmark; its option `--json` names the file for `save_results`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    return parser


def report_results(results: Mapping[str, Result], file: Path | None) -> None:
    """Print one line per result, and write them as JSON, unless there is no file."""
    for key, measured in results.items():
        print(f"{key}: {measured['text']} ({measured['about']})", flush=True)
    save_results(results, file)


def save_results(results: Mapping[str, Result], file: Path | None) -> None:
    """Write results as JSON, unless there is no file."""
    if file:
        file.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
