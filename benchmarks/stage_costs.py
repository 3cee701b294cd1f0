"""CPU time and megabytes written of each stage per hour of video, and its fixed CPU time per run.

Renders clips of 1280 × 720 pixels at 30 frames per second, and runs the stages one by one on few and on many of them.
The cost per hour is the difference divided by the difference in hours of video. CPU time depends less than wall-clock
time on the load of the machine.

    python benchmarks/stage_costs.py                       # 16 and 80 clips of 20 seconds
"""

import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from benchmark_results import argument_parser, result, save_results
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
MANY_HOURS = 1_000_000


@dataclass(frozen=True)
class StageCost:
    """Cost of one stage on one corpus.

    Attributes:
        stage: name of the stage.
        hours: hours of video.
        cpu_s: CPU time of all its processes, seconds.
        written_mb: growth of the data folder, MB of 10^6 bytes.
    """

    stage: str
    hours: float
    cpu_s: float
    written_mb: float


def main() -> None:
    """Run, measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--clips", type=int, nargs=2, default=[16, 80], metavar=("FEW", "MANY"))
    arguments = parser.parse_args()
    (few_costs, few_folders), (many_costs, many_folders) = (measure(clips) for clips in arguments.clips)
    few, many = (pd.DataFrame(costs).set_index("stage") for costs in (few_costs, many_costs))
    hours = many["hours"] - few["hours"]
    table = pd.DataFrame(
        {
            "cpu_seconds": ((many["cpu_s"] - few["cpu_s"]) / hours).clip(lower=0),
            "megabytes": ((many["written_mb"] - few["written_mb"]) / hours).clip(lower=0),
        }
    )
    table["cpu_seconds_per_run"] = (few["cpu_s"] - table["cpu_seconds"] * few["hours"]).clip(lower=0)
    table.loc["total"] = table.sum()
    print(table.round(1).to_string())
    results = {}
    for row in table.itertuples():
        results |= {
            f"{row.Index}.cpu_seconds": result(row.cpu_seconds, "seconds", "CPU time per hour of video"),
            f"{row.Index}.megabytes": result(row.megabytes, "megabytes", "written per hour of video", "size"),
            f"{row.Index}.cpu_seconds_per_run": result(row.cpu_seconds_per_run, "seconds", "CPU time per run"),
        }
    total = table.loc["total"]
    core_hours = total["cpu_seconds"] * MANY_HOURS / 3600
    results["million_hours.core_hours"] = result(core_hours, "count", "core hours for a million hours of video")
    megabytes = total["megabytes"] * MANY_HOURS
    for folder, size_mb in many_folders.items():
        per_hour = max(0.0, size_mb - few_folders[folder]) / hours.iloc[0]
        results[f"folder.{folder}.megabytes"] = result(per_hour, "megabytes", "stored per hour of video", "size")
    results["million_hours.megabytes"] = result(megabytes, "megabytes", "written for a million hours of video", "size")
    save_results(results, arguments.json)


def measure(clips: int) -> tuple[list[StageCost], dict[str, float]]:
    """Run every stage once in a copy of the project; also return the MB of each folder with a partition per video."""
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
            before, cpu_before = _size_mb(project / "data"), _cpu_s()
            run_pipelines(project, stage)
            costs.append(
                StageCost(
                    stage,
                    clips * SECONDS / 3600,
                    _cpu_s() - cpu_before,
                    _size_mb(project / "data") - before,
                )
            )
        folders = {state.parent.name: _size_mb(state.parent) for state in project.glob("data/*/*/.state")}
    return costs, folders


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _size_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
