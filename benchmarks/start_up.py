"""Start-up time and imports of `kedro run`, compared with a bare `import tensorflow`.

Run it in a project where everything is up to date, so that only the start is measured:

    python benchmarks/start_up.py
"""

import re
import subprocess
import sys
import time
from collections import Counter

from own_project import PROJECT, USERS_ENVIRONMENT

COMMANDS = {
    "import tensorflow": ["-c", "import tensorflow"],
    "kedro run --pipelines=preprocessing": ["-m", "kedro", "run", "--pipelines=preprocessing"],
    "kedro run": ["-m", "kedro", "run"],
}
HEAVY = ("tensorflow", "mlflow", "matplotlib", "distributed")
REPEATED = 3
SHOWN = 6
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def main() -> None:
    """Print the best of three times, and the packages that take longest to import."""
    for name, command in COMMANDS.items():
        seconds = min(timed(command) for _ in range(REPEATED))
        packages = import_seconds(command)
        largest = ", ".join(f"{package} {taken:.2f}" for package, taken in packages.most_common(SHOWN))
        print(f"{name}: {seconds:.1f} s; imports {sum(packages.values()):.1f} s ({largest})")
        heavy = [package for package in HEAVY if package in packages]
        print(f"  heavy packages: {', '.join(heavy) or 'none'}")


def timed(command: list[str]) -> float:
    """Run a command and return its seconds."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=PROJECT, env=USERS_ENVIRONMENT, capture_output=True, check=True)
    return time.perf_counter() - began


def import_seconds(command: list[str]) -> Counter[str]:
    """Return the seconds that each package's own modules take to import."""
    report = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=PROJECT,
        env=USERS_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    seconds: Counter[str] = Counter()
    for own, module in IMPORT.findall(report):
        seconds[module.split(".")[0]] += int(own) / 1e6
    return seconds


if __name__ == "__main__":
    main()
