"""Time and memory of the default run on corpora of two sizes, and the time of a run when everything is up to date.

Prints one line:

    python benchmarks/whole_run.py            # 50 and 500 videos
    python benchmarks/whole_run.py --videos 100 400
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from own_project import CATEGORIES, USERS_ENVIRONMENT, copy_project

SAMPLED_EVERY_S = 0.5
REPEATED = 3


@dataclass(frozen=True)
class Cost:
    """Cost of one command.

    Attributes:
        seconds: wall-clock time.
        peak_mb: peak memory of the process and its workers together (proportional set size), MB.
    """

    seconds: float
    peak_mb: float


def main() -> None:
    """Run, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, nargs=2, default=[50, 500], metavar=("FEW", "MANY"))
    few, many = parser.parse_args().videos
    first = {videos: measure(videos) for videos in (few, many)}
    (small, small_again), (large, large_again) = first[few], first[many]
    per_video_ms = 1000 * (large_again.seconds - small_again.seconds) / (many - few)
    print(
        f"whole run: {few} videos {small.seconds:.0f} s, {many} videos {large.seconds:.0f} s; "
        f"peak memory {small.peak_mb:.0f} MB, {large.peak_mb:.0f} MB (ratio {large.peak_mb / small.peak_mb:.2f}); "
        f"up to date {small_again.seconds:.1f} s, {large_again.seconds:.1f} s "
        f"({per_video_ms:.2f} ms a video)"
    )


def measure(videos: int) -> tuple[Cost, Cost]:
    """Run everything in a project of its own, then three times when all is up to date; the best counts."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        command = [
            str(Path(sys.executable).with_name("kedro")),
            "run",
            f"--params=ingestion.clips.clips_per_category={-(-videos // CATEGORIES)}",
        ]
        first = run(command, project)
        return first, min((run(command, project) for _ in range(REPEATED)), key=lambda cost: cost.seconds)


def run(command: list[str], project: Path) -> Cost:
    """Run a command and sample its memory and that of its children."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, env=USERS_ENVIRONMENT)
    peaks = [0.0]
    watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), peaks))
    watcher.start()
    if process.wait():
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = time.perf_counter() - began
    watcher.join()
    return Cost(seconds, max(peaks))


def _watch(process: psutil.Process, peaks: list[float]) -> None:
    try:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            peaks.append(sum(_memory_mb(one) for one in (process, *process.children(recursive=True))))
            time.sleep(SAMPLED_EVERY_S)
    except psutil.NoSuchProcess:
        return


def _memory_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / 1e6
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    main()
