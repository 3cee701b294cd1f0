"""Measure all results that README and docs show, and write them to docs/results.json.

Runs one benchmark per section, each in a separate process, one after the other. A section that fails, or whose tools
are missing, keeps its previous results. At the end, docs/scripts/update_pages.py updates the pages. Run it on an idle
machine, after `kedro run` with the default parameters: some benchmarks use the demo corpus in data/.

    python benchmarks/results.py                 # all sections
    python benchmarks/results.py demo costs      # only these
    python benchmarks/results.py --quick         # test the benchmarks at the smallest sizes; writes build/results.json
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import date
from pathlib import Path
from typing import Any

import psutil
from own_project import PROJECT

SECTIONS = {
    "demo": "whole_run.py",
    "costs": "stage_costs.py --clips 8 40",
    "detection": "detection_throughput.py --videos 40 --rounds 2",
    "preprocessing": "preprocessing_throughput.py",
    "textbook": "textbook_script.py --videos 200",
    "scale": "many_videos.py --videos 1000 10000",
    "neighbours": "nearest_neighbours.py --videos 10000 100000 --corpora drawn",
    "duplicates": "near_duplicates.py --videos 300 --originals 30",
    "segmentation": "segmentation_quality.py",
    "choices": "choices.py",
    "reuse": "frame_reuse.py --every-nth-video 20",
    "shots": "shot_sampling.py --clips 60",
    "ads": "ad_agent.py --seeds 2",
    "off_policy": "off_policy.py --repeats 10 --truth 100000",
    "cluster": "cluster.py --videos 50",
}
"""Name of each section, and the script in benchmarks/ that measures it, with arguments."""

QUICK = {
    "demo": "whole_run.py --videos 60",
    "costs": "stage_costs.py --clips 4 8",
    "detection": "detection_throughput.py --videos 4 --frames 4 --rounds 1",
    "preprocessing": "preprocessing_throughput.py --videos 4 --rounds 1",
    "textbook": "textbook_script.py --videos 40",
    "scale": "many_videos.py --videos 500 1000",
    "neighbours": "nearest_neighbours.py --videos 2000 4000 --queries 20",
    "duplicates": "near_duplicates.py --videos 24 --originals 2",
    "segmentation": "segmentation_quality.py --every-nth-clip 100",
    "choices": "choices.py feature_engineering.importance=tf_idf",
    "reuse": "frame_reuse.py --every-nth-video 200",
    "shots": "shot_sampling.py --clips 4",
    "ads": "ad_agent.py --seeds 1 --agent steps=20000 --sessions 50",
    "off_policy": "off_policy.py --repeats 2 --truth 2000",
    "cluster": "cluster.py --videos 4 --rounds 1",
}
RESULTS = PROJECT / "docs/results.json"
SECTION_TIMEOUT_S = 3600


def main() -> int:
    """Measure the sections, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="smallest sizes, for a test of the benchmarks")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}")
    output = PROJECT / "build/results.json" if arguments.quick else RESULTS
    output.parent.mkdir(exist_ok=True)
    origin = {"date": date.today().isoformat(), "commit": commit(), "machine": machine()}
    failed = []
    began = time.perf_counter()
    for section in arguments.sections or SECTIONS:
        command = f"python benchmarks/{(QUICK if arguments.quick else SECTIONS)[section]}"
        start = time.perf_counter()
        print(f"[{start - began:.0f} s] {section}: {command}", flush=True)
        try:
            measured = measure(command)
        except (subprocess.SubprocessError, OSError, ValueError):  # measure the other sections all the same
            traceback.print_exc()
            failed.append(section)
            continue
        if measured:
            seconds = round(time.perf_counter() - start)
            write_section(output, section, {"command": command, **origin, "seconds": seconds, "results": measured})
        else:
            print(f"{section}: no results; the section keeps its previous ones", flush=True)
    print(f"[{time.perf_counter() - began:.0f} s] {len(failed)} sections failed: {', '.join(failed) or 'none'}")
    if not arguments.quick:
        updated = subprocess.run([sys.executable, str(PROJECT / "docs/scripts/update_pages.py")], check=False)
        return int(bool(failed) or updated.returncode != 0)
    return int(bool(failed))


def measure(command: str) -> dict[str, Any]:
    """Run a benchmark and return its results; empty if it skipped the measurement."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "results.json")
        arguments = [sys.executable, *command.split()[1:], "--json", str(file)]
        subprocess.run(arguments, cwd=PROJECT, check=True, timeout=SECTION_TIMEOUT_S)
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def write_section(output: Path, name: str, section: dict[str, Any]) -> None:
    """Replace one section of the results and keep the others, in the order of `SECTIONS`."""
    sections = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    sections[name] = section
    ordered = {known: sections[known] for known in SECTIONS if known in sections}
    temporary = output.with_suffix(".tmp")
    temporary.write_text(json.dumps(ordered, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    temporary.replace(output)


def commit() -> str:
    """Return the short hash of the commit, with `-dirty` if tracked code has changed since."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty"]
    described = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def machine() -> dict[str, str | int]:
    """Describe the processor, the number of cores, the memory and the Python version."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
