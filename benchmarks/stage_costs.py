"""Cost of each stage per hour of video, in CPU seconds and megabytes written, and its fixed cost.

Renders clips of 1280 × 720 pixels at 30 frames per second, runs the stages one by one on few and on many of them, and
computes the difference. CPU seconds depend less than wall-clock time on the load of the machine.

    python benchmarks/stage_costs.py                       # 16 and 80 clips of 20 seconds
"""

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from own_project import SECONDS, copy_project, render_clips, run_pipelines

STAGES = (
    "preprocessing",
    "deduplication",
    "detection",
    "segmentation",
    "feature_engineering",
    "classification",
    "recommendation",
)


@dataclass(frozen=True)
class StageCost:
    """Cost of one stage on one corpus.

    Attributes:
        stage: name of the stage.
        hours: hours of video.
        cpu_s: CPU time of all its processes, seconds.
        seconds: wall-clock time, seconds.
        written_mb: growth of the data folder, MB.
    """

    stage: str
    hours: float
    cpu_s: float
    seconds: float
    written_mb: float


def main() -> None:
    """Run, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs=2, default=[16, 80], metavar=("FEW", "MANY"))
    few, many = (pd.DataFrame(measure(clips)).set_index("stage") for clips in parser.parse_args().clips)
    hours = many["hours"] - few["hours"]
    table = pd.DataFrame(
        {
            "CPU s per video-hour": (many["cpu_s"] - few["cpu_s"]) / hours,
            "MB written per video-hour": (many["written_mb"] - few["written_mb"]) / hours,
        }
    )
    table["CPU s per run"] = few["cpu_s"] - table["CPU s per video-hour"] * few["hours"]
    table["seconds, many"] = many["seconds"]
    print(table.round(1).to_string())


def measure(clips: int) -> list[StageCost]:
    """Run every stage once in a project of its own."""
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        rendered = render_clips(project, clips)
        (project / "conf/local").mkdir(exist_ok=True)
        (project / "conf/local/parameters.yml").write_text(
            f"ingestion: {{source: folder, folder: {{path: {rendered}}}}}"
        )
        run_pipelines(project, "ingestion")
        for stage in STAGES:
            before, cpu_before, start = _size_mb(project), _cpu_s(), time.perf_counter()
            run_pipelines(project, stage)
            costs.append(
                StageCost(
                    stage,
                    clips * SECONDS / 3600,
                    _cpu_s() - cpu_before,
                    time.perf_counter() - start,
                    _size_mb(project) - before,
                )
            )
    return costs


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _size_mb(project: Path) -> float:
    return sum(file.stat().st_size for file in (project / "data").rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
