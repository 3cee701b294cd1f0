"""Ten nearest neighbours, exact and by an index: time, memory and recall at several corpus sizes.

Two corpora: `drawn`, a synthetic one (see synthetic_corpus.py), whose points are far apart; and `demo`, mixtures of two
or three of the demo's clips, whose points form tight clusters. The points are those of object space: run
`kedro run` first. Each line is measured in a process of its own, on one core. Systems:

    exact   exhaustive search (find_neighbours)
    index   the recommender's index (NeighbourIndex): cells, codes of 4 bits, then 8 bits, ranked by exact similarity
    ivf     FAISS's IndexIVFScalarQuantizer with 4 √n cells over coordinates in 8 bits, ranked by exact similarity

    python benchmarks/nearest_neighbours.py
    python benchmarks/nearest_neighbours.py --videos 1000000 --systems exact index --queries 1000

recall@10: share of the exact ten nearest that are found. ms: per query, of a thousand at once (the best of three) and
one by one. all: building the index and querying every video, in seconds.
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
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from synthetic_corpus import SyntheticCorpus

from video_recommender.networks.detections import PROBABILITY_FLOOR
from video_recommender.similarity.approximate_neighbours import WANTED_RECALL, find_neighbours_with, fit_index
from video_recommender.similarity.nearest_neighbours import cosine_scores, find_neighbours, select_best, unit_rows

DATA = Path(__file__).parents[1] / "data"
K = 10
POOL = 21
SINGLE = 200
ROUNDS = 3
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Points = NDArray[np.float32]
Ask = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""From row numbers of queries to row numbers of their ten nearest."""


@dataclass(frozen=True)
class Measured:
    """Figures of one system on one corpus.

    Attributes:
        build_s: time to build the index and to tune how many cells are searched.
        thoroughness: number of cells that are searched, and of points that the codes select.
        recall: recall@10.
        batch_ms: per query, of a thousand at once.
        single_ms: per query, one by one.
        index_mib: size of the index.
        peak_mib: peak memory of the process, the points included.
    """

    build_s: float
    thoroughness: str
    recall: float
    batch_ms: float
    single_ms: float
    index_mib: float
    peak_mib: float


def main() -> None:
    """Measure and print."""
    arguments = _parse()
    if arguments.child:
        system, corpus = arguments.child
        print(json.dumps(asdict(measure(system, corpus, arguments.videos[0], arguments.queries))))
        return
    print(
        "| corpus | videos | system | build s | searched | recall@10 | ms | ms, single | index MiB | peak MiB | all s |"
    )
    print("|" + "---|" * 11)
    for corpus in arguments.corpora:
        for videos in arguments.videos:
            for system in arguments.systems:
                command = [sys.executable, __file__, "--child", system, corpus, "--videos", str(videos)]
                command += ["--queries", str(arguments.queries)]
                run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=os.environ | ONE_CORE)
                found = Measured(**json.loads(run.stdout.splitlines()[-1]))
                print(
                    f"| {corpus} | {videos:,} | {system} | {found.build_s:.1f} | {found.thoroughness} "
                    f"| {found.recall:.4f} | {found.batch_ms:.2f} | {found.single_ms:.2f} | {found.index_mib:.0f} "
                    f"| {found.peak_mib:.0f} | {found.build_s + videos * found.batch_ms / 1000:.0f} |",
                    flush=True,
                )


def measure(system: str, corpus: str, videos: int, queries: int) -> Measured:
    """Build one system and query it."""
    points = {"drawn": drawn_points, "demo": demo_points}[corpus](videos)
    asked = np.sort(np.random.default_rng(7).permutation(videos)[:queries])
    began = time.perf_counter()
    ask, thoroughness, index_bytes = {"exact": build_exact, "index": build_index, "ivf": build_ivf}[system](points)
    build_s = time.perf_counter() - began
    found, seconds = ask(asked), []
    for _ in range(ROUNDS if system != "exact" else 1):
        began = time.perf_counter()
        ask(asked)
        seconds.append(time.perf_counter() - began)
    batch_ms = 1000 * min(seconds) / len(asked)
    single = asked[:: max(1, len(asked) // (SINGLE if system != "exact" else 5))]
    began = time.perf_counter()
    for row in single:
        ask(np.array([row]))
    single_ms = 1000 * (time.perf_counter() - began) / len(single)
    truth = found if system == "exact" else build_exact(points)[0](asked)
    recall = np.mean([len(np.intersect1d(mine, right)) for mine, right in zip(found, truth, strict=True)]) / K
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(build_s, thoroughness, float(recall), batch_ms, single_ms, index_bytes / 2**20, peak_mib)


def build_exact(points: Points) -> tuple[Ask, str, int]:
    """Return the exhaustive search."""
    every = np.arange(len(points))
    return lambda rows: find_neighbours(cosine_scores(points[rows], points), rows, every, K).positions, "all", 0


def build_index(points: Points) -> tuple[Ask, str, int]:
    """Build the index of the recommender."""
    index, _ = fit_index(points)
    ask = lambda rows: find_neighbours_with(index, points, points[rows], rows, None, K).positions  # noqa: E731
    return ask, f"{index.effort.cells} × {index.effort.refined}", len(pickle.dumps(index))


def build_ivf(points: Points) -> tuple[Ask, str, int]:
    """Build the alternative, and search as many cells as the same recall on a sample needs."""
    import faiss

    axes, cells = points.shape[1], int(4 * len(points) ** 0.5)
    coarse = faiss.IndexFlatIP(axes)
    index = faiss.IndexIVFScalarQuantizer(
        coarse, axes, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter, index.cp.max_points_per_centroid = 10, 64
    index.train(points)
    index.add(points)

    def ask(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        found = []
        for start in range(0, len(rows), 128):
            block = rows[start : start + 128]
            proposed = index.search(points[block], POOL)[1]
            candidates = unit_rows(points[proposed.ravel()]).reshape(*proposed.shape, -1)
            scores = (candidates @ unit_rows(points[block])[:, :, np.newaxis])[:, :, 0]
            is_excluded = (proposed < 0) | (proposed == block[:, np.newaxis])
            found.append(select_best(scores, proposed, is_excluded, len(points), K).positions)
        return np.concatenate(found)

    sample = np.sort(np.random.default_rng(0).permutation(len(points))[:500])
    truth = build_exact(points)[0](sample)
    for probes in (4, 8, 16, 32, 64, 128, 256, 512):
        index.nprobe = probes
        mine = ask(sample)
        if np.mean([len(np.intersect1d(*pair)) for pair in zip(mine, truth, strict=True)]) >= WANTED_RECALL * K:
            break
    return ask, str(index.nprobe), faiss.serialize_index(index).nbytes


def drawn_points(videos: int) -> Points:
    """Compute the points of a synthetic corpus."""
    class_points = _class_points()
    blocks = SyntheticCorpus(_class_embeddings(), videos).blocks()
    return _filled(videos, (np.sqrt(block.probabilities) @ class_points for block in blocks))


def demo_points(videos: int) -> Points:
    """Compute points of random mixtures of two or three of the demo's clips of one category."""
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, nargs="+", default=[3000, 10_000, 30_000, 100_000])
    parser.add_argument("--corpora", nargs="+", default=["drawn", "demo"], choices=["drawn", "demo"])
    parser.add_argument("--systems", nargs="+", default=["exact", "index", "ivf"], choices=["exact", "index", "ivf"])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
