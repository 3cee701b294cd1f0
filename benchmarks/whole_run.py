"""Time, memory and results of the default run, and the time of a second run when everything is up to date.

Both runs use a copy of the project with an empty data folder; the first run downloads the photos of the demo.

    python benchmarks/whole_run.py                # the demo corpus
    python benchmarks/whole_run.py --videos 60    # a smaller one
"""

import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
from benchmark_results import Result, argument_parser, report_results, result
from own_project import CATEGORIES, USERS_ENVIRONMENT, copy_project

MEMORY_SAMPLING_INTERVAL_S = 0.5
REPEATS = 2
HELD_OUT = "of held-out videos, grouped cross-validation"
REVENUE = "revenue per session relative to the optimum"
METRICS: dict[str, tuple[str, str, str, str]] = {
    "category_accuracy": ("classification", "accuracy", "share", f"category accuracy {HELD_OUT}"),
    "category_accuracy_std": ("classification", "accuracy_std", "share", "standard deviation of accuracy over folds"),
    "category_accuracy_by_chance": ("classification", "accuracy_majority", "share", "accuracy of the largest category"),
    "category_macro_f1": ("classification", "macro_f1", "score", f"macro F1 {HELD_OUT}"),
    "ad_revenue_share": ("advertising", "share_of_optimum", "share", f"{REVENUE}: deep Q-network"),
    "ad_revenue_share_by_chance": ("advertising", "random_share_of_optimum", "share", f"{REVENUE}: random ads"),
    "ad_revenue_share_always_long": ("advertising", "always_long_share_of_optimum", "share", f"{REVENUE}: long ads"),
    "ad_revenue_share_unseen": (
        "advertising",
        "share_of_optimum_unseen",
        "share",
        f"{REVENUE}: deep Q-network, on groups that it was not trained on",
    ),
    "ad_revenue_share_unseen_by_chance": (
        "advertising",
        "random_share_of_optimum_unseen",
        "share",
        f"{REVENUE}: random ads, on the same groups",
    ),
    "ad_revenue_share_always_long_unseen": (
        "advertising",
        "always_long_share_of_optimum_unseen",
        "share",
        f"{REVENUE}: long ads, on the same groups",
    ),
}
"""Key of each result; the file and key of its metric in data/08_reporting; its unit and its meaning."""


@dataclass(frozen=True)
class Cost:
    """Cost of one command.

    Attributes:
        seconds: wall-clock time.
        peak_mb: peak memory of the process and its workers (proportional set size), MB of 10^6 bytes.
    """

    seconds: float
    peak_mb: float


def main() -> None:
    """Run, measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--videos", type=int, help="size of the corpus; default: that of the demo")
    arguments = parser.parse_args()
    command = [str(Path(sys.executable).with_name("kedro")), "run"]
    if arguments.videos:
        command.append(f"--params=ingestion.clips.clips_per_category={-(-arguments.videos // CATEGORIES)}")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        output = project / "output.txt"
        first = run(command, project, output)
        durations = dict(stage_durations(project / "mlflow.db"))
        summary = closing_summary(output.read_text(encoding="utf-8"))
        again = min(run(command, project, output).seconds for _ in range(REPEATS))
        results = {
            "seconds": result(first.seconds, "seconds", "first run"),
            "seconds_when_up_to_date": result(again, "seconds", "run when everything is up to date, best of two"),
            "peak_memory": result(first.peak_mb, "megabytes", "peak memory of the first run, workers included"),
            "closing_summary": summary,
            **durations,
            **corpus_sizes(project / "data"),
            **metrics(project / "data/08_reporting"),
        }
    report_results(results, arguments.json)


def run(command: list[str], project: Path, output: Path) -> Cost:
    """Run a command with its output in a file, and sample the memory of the process and its children."""
    began = time.perf_counter()
    with output.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=project, stdout=file, env=USERS_ENVIRONMENT)
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), peaks))
    watcher.start()
    if process.wait():
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = time.perf_counter() - began
    watcher.join()
    return Cost(seconds, max(peaks))


def closing_summary(output: str) -> Result:
    """Return the last lines of a run as a code block; the value is the number of videos that succeeded."""
    *_, last = re.finditer(r"(?:.+\n){3}(\d+) of \d+ videos succeeded\n", output)
    about = "last lines of the first run; value: videos that succeeded"
    return {"value": float(last[1]), "text": f"\n```text\n{last[0]}```\n", "about": about, "data": "held-out"}


def stage_durations(database: Path) -> Iterator[tuple[str, Result]]:
    """Yield the duration of each stage that MLflow has recorded."""
    query = "SELECT key, value FROM latest_metrics WHERE key LIKE 'duration_s/%'"
    with closing(sqlite3.connect(database)) as connection:
        for key, seconds in connection.execute(query):
            stage = key.partition("/")[2]
            yield f"{stage}.seconds", result(seconds, "seconds", f"duration of {stage} in the first run")


def corpus_sizes(data: Path) -> dict[str, Result]:
    """Count videos and frames, and the megabytes of each folder of the data."""
    folders = sorted(folder for folder in data.iterdir() if folder.is_dir())
    sizes = {
        folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        for folder in folders
    }
    frames = pd.read_parquet(data / "02_intermediate/frame_manifest.parquet")["frames"].sum()
    return {
        "videos": result(len(pd.read_parquet(data / "01_raw/video_manifest.parquet")), "count", "videos", "size"),
        "frames": result(frames, "count", "frames of all videos", "size"),
        "megabytes": result(sum(sizes.values()), "megabytes", "size of data/", "size"),
        **{
            f"{name}.megabytes": result(size, "megabytes", f"size of data/{name}", "size")
            for name, size in sizes.items()
        },
    }


def metrics(reporting: Path) -> dict[str, Result]:
    """Read the metrics of the run: accuracy, precision@10 of each system, and revenue of the policies."""
    results = {}
    for key, (file, metric, unit, about) in METRICS.items():
        value = json.loads((reporting / f"{file}_metrics.json").read_text())[metric]
        results[key] = result(value, unit, about, "simulation" if file == "advertising" else "held-out")
    report = pd.read_csv(reporting / "recommendation_report.csv").dropna(subset="precision")
    for row in report[report["neighbours"] == 10].itertuples():
        candidates = "_other_groups" if row.candidates == "other_groups" else ""
        system = "" if row.system == "object_space" else f"{row.system}_"
        about = f"precision@10 among {'videos of other groups' if candidates else 'all videos'}: {row.system}"
        key, precision = f"precision_at_10{candidates}", result(row.precision, "score", about, "held-out")
        results |= {f"{system}{key}": precision, **({f"{key}_by_chance": precision} if row.system == "random" else {})}
    for row in pd.read_csv(reporting / "category_report.csv", keep_default_na=False).itertuples():
        for name in ("precision", "recall"):
            about = f"{name} of the category {row.category} {HELD_OUT}"
            results[f"{name}.{row.category}"] = result(getattr(row, name), "score", about, "held-out")
    return results


def _watch(process: psutil.Process, peaks: list[float]) -> None:
    try:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            peaks.append(sum(_memory_mb(one) for one in (process, *process.children(recursive=True))))
            time.sleep(MEMORY_SAMPLING_INTERVAL_S)
    except psutil.NoSuchProcess:
        return


def _memory_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    main()
