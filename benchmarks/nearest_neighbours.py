"""Ten nearest neighbours by exact search and by the index: time, memory and recall at several corpus sizes.

Two corpora: `drawn` is synthetic (see synthetic_corpus.py), with points that are far apart; `demo` consists of mixtures
of two or three clips of the demo, with points in tight clusters. The points are those of object space: run `kedro run`
first. Each system is measured in a separate process, on one core. Systems:

    exact   exhaustive search (find_neighbours)
    index   the recommender's index (NeighbourIndex): cells, 4-bit codes, 8-bit codes, then exact similarity

    python benchmarks/nearest_neighbours.py
    python benchmarks/nearest_neighbours.py --videos 1000000 --systems index

recall@10: share of the exact ten nearest neighbours that are found. Query times are per query: in a batch of a thousand
(the best of three), and one by one.
"""

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchmark_results import Result, argument_parser, report_results, result
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from synthetic_corpus import SyntheticCorpus

from video_recommender.networks.detections import PROBABILITY_FLOOR
from video_recommender.similarity.approximate_neighbours import find_neighbours_with, fit_index
from video_recommender.similarity.nearest_neighbours import cosine_scores, find_neighbours

DATA = Path(__file__).parents[1] / "data"
K = 10
SINGLE = 200
ROUNDS = 3
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Points = NDArray[np.float32]
Ask = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""Maps row numbers of queries, shape (queries,), to row numbers of their neighbours, shape (queries, 10)."""


@dataclass(frozen=True)
class Measured:
    """Results of one system on one corpus.

    Attributes:
        build_seconds: time to build and tune the index.
        recall: recall@10.
        query_seconds: time per query, in a batch of a thousand.
        single_query_seconds: time per query, one by one.
        index_size: size of the index, MB of 10^6 bytes.
        peak_memory: peak memory of the process, the points included, MB of 10^6 bytes.
    """

    build_seconds: float
    recall: float
    query_seconds: float
    single_query_seconds: float
    index_size: float
    peak_memory: float


def main() -> None:
    """Measure and print."""
    arguments = _parse()
    if arguments.child:
        system, corpus = arguments.child
        print(json.dumps(asdict(measure(system, corpus, arguments.videos[0], arguments.queries))))
        return
    results: dict[str, Result] = {}
    for corpus in arguments.corpora:
        for videos in arguments.videos:
            for system in arguments.systems:
                command = [sys.executable, __file__, "--child", system, corpus, "--videos", str(videos)]
                command += ["--queries", str(arguments.queries)]
                run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=os.environ | ONE_CORE)
                measured = json.loads(run.stdout.splitlines()[-1])
                results |= describe(Measured(**measured), f"{corpus}.{videos}.{system}")
    report_results(results, arguments.json)


def describe(measured: Measured, prefix: str) -> dict[str, Result]:
    """Describe the results of one system."""
    described = {
        "build_seconds": result(measured.build_seconds, "seconds", "building and tuning the index"),
        "query_seconds": result(measured.query_seconds, "seconds", "per query, in a batch"),
        "single_query_seconds": result(measured.single_query_seconds, "seconds", "per query, one by one"),
        "recall": result(measured.recall, "share", "recall@10", "simulation"),
        "index_size": result(measured.index_size, "megabytes", "size of the index", "size"),
        "peak_memory": result(measured.peak_memory, "megabytes", "peak memory, points included", "size"),
    }
    return {f"{prefix}.{key}": value for key, value in described.items()}


def measure(system: str, corpus: str, videos: int, queries: int) -> Measured:
    """Build one system and query it."""
    points = {"drawn": drawn_points, "demo": demo_points}[corpus](videos)
    asked = np.sort(np.random.default_rng(7).permutation(videos)[:queries])
    began = time.perf_counter()
    ask, index_bytes = {"exact": build_exact, "index": build_index}[system](points)
    build_seconds = time.perf_counter() - began
    found, seconds = ask(asked), []
    for _ in range(ROUNDS if system != "exact" else 1):
        began = time.perf_counter()
        ask(asked)
        seconds.append(time.perf_counter() - began)
    query_seconds = min(seconds) / len(asked)
    single = asked[:: max(1, len(asked) // (SINGLE if system != "exact" else 5))]
    began = time.perf_counter()
    for row in single:
        ask(np.array([row]))
    single_query_seconds = (time.perf_counter() - began) / len(single)
    truth = found if system == "exact" else build_exact(points)[0](asked)
    recall = np.mean([len(np.intersect1d(mine, right)) for mine, right in zip(found, truth, strict=True)]) / K
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return Measured(build_seconds, float(recall), query_seconds, single_query_seconds, index_bytes / 1e6, peak_mb)


def build_exact(points: Points) -> tuple[Ask, int]:
    """Return the exhaustive search, and 0 for the size of its index."""
    every = np.arange(len(points))
    return lambda rows: find_neighbours(cosine_scores(points[rows], points), rows, every, K).positions, 0


def build_index(points: Points) -> tuple[Ask, int]:
    """Build the index of the recommender, and return its search and its size in bytes."""
    index, _ = fit_index(points)
    ask = lambda rows: find_neighbours_with(index, points, points[rows], rows, None, K).positions  # noqa: E731
    return ask, len(pickle.dumps(index))


def drawn_points(videos: int) -> Points:
    """Compute the points of a synthetic corpus."""
    class_points = _class_points()
    blocks = SyntheticCorpus(_class_embeddings(), videos).blocks()
    return _filled(videos, (np.sqrt(block.probabilities) @ class_points for block in blocks))


def demo_points(videos: int) -> Points:
    """Compute points of random mixtures of two or three clips of the demo, of one category."""
    class_points, classes = _class_points(), _class_embeddings().index
    folder = DATA / "03_primary/class_scores"
    clips = sorted(file.relative_to(folder).with_suffix("").as_posix() for file in folder.glob("*/*.parquet"))
    shown = np.zeros((len(clips), len(classes)), np.float32)
    for row, clip in zip(shown, clips, strict=True):
        class_scores = pd.read_parquet(folder / f"{clip}.parquet")
        row[classes.get_indexer(class_scores["class_name"])] = class_scores["probability"]
    kinds = np.array([clip.split("/")[0] for clip in clips])
    by_kind = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]

    def mixtures() -> Iterator[Points]:
        for start in range(0, videos, 1000):
            random = np.random.default_rng([1, start])
            count = min(1000, videos - start)
            mixed = np.stack([random.choice(by_kind[random.integers(len(by_kind))], 3) for _ in range(count)])
            shares = random.dirichlet([0.5] * 3, count)[..., np.newaxis]
            seen = (shown[mixed] * shares).sum(axis=1) * random.lognormal(0, 0.5, (count, len(classes)))
            seen /= seen.sum(axis=1, keepdims=True)
            seen[seen < PROBABILITY_FLOOR] = 0
            yield np.sqrt(seen.astype(np.float32)) @ class_points

    return _filled(videos, mixtures())


def _filled(videos: int, blocks: Iterator[Points]) -> Points:
    points, start = np.empty((0, 0), np.float32), 0
    for block in blocks:
        if not start:
            points = np.empty((videos, block.shape[1]), np.float32)
        points[start : start + len(block)] = normalize(block)
        start += len(block)
    return points


def _class_embeddings() -> pd.DataFrame:
    return pd.read_parquet(DATA / "03_primary/class_embeddings.parquet")


def _class_points() -> Points:
    rows = _class_embeddings().to_numpy(np.float32)
    return normalize(rows - rows.mean(axis=0))


def _parse() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--videos", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--corpora", nargs="+", default=["drawn", "demo"], choices=["drawn", "demo"])
    parser.add_argument("--systems", nargs="+", default=["exact", "index"], choices=["exact", "index"])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
