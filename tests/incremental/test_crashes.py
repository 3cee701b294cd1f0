"""Killed and concurrent runs have the results of one uninterrupted run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_project import Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")

NUMBERS = 600

SERVER = """
import os, sys, traceback
from toy_project import Project

project = Project.__new__(Project)
project.__dict__.update({attributes})
import toy.nodes
project.nodes = toy.nodes
for line in sys.stdin:
    runs, backend, jobs = line.split()
    project.parameters["workers"] = {{"backend": backend, "jobs": int(jobs)}}
    children = []
    for _ in range(int(runs)):
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.dup2(2, 1)
            try:
                project.run()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    print(*children, flush=True)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)
"""


class Server:
    """Starts runs in forked processes, which do not repeat the imports."""

    def __init__(self, project: Project) -> None:
        attributes = {name: value for name, value in vars(project).items() if name != "nodes"}
        source = "from pathlib import *\n" + SERVER.format(attributes=attributes)
        paths = [str(project.code.parent), str(Path(__file__).parents[1]), *sys.path]
        self.process = subprocess.Popen(
            [sys.executable, "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def start(self, backend: str, jobs: int = 2, runs: int = 1) -> list[int]:
        """Start runs and return their process IDs."""
        self.process.stdin.write(f"{runs} {backend} {jobs}\n")
        self.process.stdin.flush()
        return self.read_numbers()

    def read_numbers(self) -> list[int]:
        return [int(word) for word in self.process.stdout.readline().split()]

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def server(project):
    project.edit("nodes.py", '    note("double"', '    time.sleep(0.01 + number["value"] % 5 / 100)\n    note("double"')
    project.edit("nodes.py", "from dataclasses", "import time\nfrom dataclasses")
    server = Server(project)
    yield server
    server.stop()


def numbers(count):
    return {f"n{number:04}": number for number in range(count)}


def expected(values, factor=2):
    return {key: {"key": key, "value": value * factor} for key, value in values.items()}


def doubled(project):
    return {key: load() for key, load in project.partitioned("doubled").load().items()}


def test_killed_runs_lose_no_partition_that_finished_more_than_two_seconds_earlier(project, server):
    project.save(a=None, b=None, c=None, **numbers(NUMBERS))
    rng = random.Random(4)
    plans = [("threading", rng.uniform(0.05, 0.7)) for _ in range(17)]
    plans += [("threading", rng.uniform(2.4, 3)) for _ in range(2)] + [("loky", rng.uniform(2.5, 3.5))]
    rng.shuffle(plans)

    kills, codes = [], []
    for backend, seconds in plans:
        (run,) = server.start(backend)
        time.sleep(seconds)
        kills.append(time.time())
        os.killpg(run, signal.SIGKILL)
        codes += server.read_numbers()
    server.start("threading", jobs=16)

    assert codes == [-signal.SIGKILL] * 20
    assert server.read_numbers() == [0]
    assert doubled(project) == expected(numbers(NUMBERS))
    assert len(project.partitioned("lengths").load()) == NUMBERS
    assert not [name for name in project.results() if Path(name).name.startswith(".")]
    finished: dict[tuple[str, ...], float] = {}
    computed_again = []
    for *words, moment in project.entries():
        before, finished[tuple(words)] = finished.get(tuple(words)), float(moment)
        if before is not None:
            killed = next(kill for kill in kills if kill > before)
            computed_again += [(words, killed - before)] if killed - before > 2 else []
    assert computed_again == []
    assert max(len(list((project.folder / name / ".state").iterdir())) for name in ("doubled", "texts")) <= 100


def test_a_killed_run_keeps_the_values_of_partitions_that_it_has_not_started(project, server):
    values = numbers(500)
    project.save(a=None, b=None, c=None, **values)
    server.start("threading", jobs=16)
    first = server.read_numbers()
    project.edit("nodes.py", "+ OFFSET", "+ OFFSET + 1")

    changed = Server(project)
    (run,) = changed.start("threading")
    while len(project.entries()) < 1010:
        time.sleep(0.05)
    os.killpg(run, signal.SIGKILL)
    codes = changed.read_numbers()
    changed.stop()
    states = project.partitioned("doubled").load().states

    assert (first, codes) == ([0], [-signal.SIGKILL])
    assert sum(state.is_ok for state in states.values()) >= 350
    assert sum(not state.is_ok for state in states.values()) <= 150


def test_concurrent_runs_have_the_results_of_one_run(project, server):
    values = numbers(100)
    project.save(a=None, b=None, c=None, **values)

    server.start("threading", runs=2)
    codes = server.read_numbers()
    server.start("threading")

    assert codes == [0, 0]
    assert doubled(project) == expected(values)
    assert set(project.states("texts").values()) == set(project.states("lengths").values()) == {"ok"}
    assert server.read_numbers() == [0]
    before = len(project.entries())
    server.start("threading")
    assert server.read_numbers() == [0]
    assert len(project.entries()) == before
