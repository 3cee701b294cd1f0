"""What each stage costs per hour of video: CPU seconds, and megabytes written; and what it costs whatever the corpus.

Renders clips of 1280 × 720 pixels at 30 frames per second, runs the stages one by one on few and on many of them, and
takes the difference. CPU seconds are told because they depend less than time on what else the machine does:

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
    """What one stage took on one corpus.

    Attributes:
        stage: which.
        hours: of video.
        cpu_s: of all its processes, seconds.
        seconds: from start to end.
        written_mb: how much larger the data folder is after it, MB.
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
    table["CPU s whatever the corpus"] = few["cpu_s"] - table["CPU s per video-hour"] * few["hours"]
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
            before, cpu_before, began = _size_mb(project), _cpu_s(), time.perf_counter()
            run_pipelines(project, stage)
            costs.append(
                StageCost(
                    stage,
                    clips * SECONDS / 3600,
                    _cpu_s() - cpu_before,
                    time.perf_counter() - began,
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
