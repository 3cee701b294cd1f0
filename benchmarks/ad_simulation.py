"""Speed of the simulation, and precision and speed of the bracket of the optimum.

Run: python benchmarks/ad_simulation.py --videos 400
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from video_recommender.advertising.ads import AdInventory, generate_ads
from video_recommender.advertising.environment import SCENARIOS, AdPlacementVectorEnv, example_viewers
from video_recommender.advertising.optimum import OptimalPolicy, bracket_optimum
from video_recommender.advertising.policies import RandomPolicy
from video_recommender.advertising.simulation import simulate
from video_recommender.advertising.viewers import ViewerModel, ViewerOptions

CATEGORIES = ("animals", "gadgets", "interiors", "landscapes")
SIDE_BY_SIDE = (1024, 8192)
SECONDS = 3.0
NEIGHBOURS = 10
EVERY_SCENARIO = {
    **SCENARIOS,
    "tastes and annoyance": ViewerOptions(tastes=True, annoyance_long=0.2, annoyance_repeat=0.3),
}


def main() -> None:
    """Print a line per way to simulate, and one per scenario."""
    arguments = _parse()
    viewers = {name: viewers_of(arguments.videos, options, arguments.seed) for name, options in EVERY_SCENARIO.items()}
    for num_envs in SIDE_BY_SIDE:
        speed = steps_per_second(viewers["assignment"], num_envs)
        print(f"AdPlacementVectorEnv, {num_envs} sessions: {speed:,.0f} steps/s")
    print(f"simulate, 100000 sessions: {ads_per_second(viewers['assignment']):,.0f} ads/s")
    for name, model in viewers.items():
        print(f"{name}: {describe_bracket(model, arguments.sessions, arguments.seed)}")


def viewers_of(videos: int, options: ViewerOptions, seed: int) -> ViewerModel:
    """Draw a corpus with random recommendations, which make the next video hard to predict."""
    ads, rng = AdInventory.from_table(generate_ads(CATEGORIES, seed)), np.random.default_rng(seed)
    model = example_viewers(ads, options, videos // len(CATEGORIES), rng)
    count = len(model.video_ids)
    offsets = np.array([rng.choice(np.arange(1, count), NEIGHBOURS, replace=False) for _ in range(count)])
    neighbours = (np.arange(count)[:, np.newaxis] + offsets) % count
    return replace(model, neighbours=neighbours, similarity=rng.uniform(0.1, 1, neighbours.shape))


def steps_per_second(model: ViewerModel, num_envs: int) -> float:
    """Step the vectorised environment with random ads: observations and new sessions are included."""
    env, rng = AdPlacementVectorEnv(model, num_envs), np.random.default_rng(0)
    env.reset(seed=0)
    start, steps = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS:
        env.step(rng.integers(len(model.ads), size=num_envs))
        steps += num_envs
    return steps / seconds


def ads_per_second(model: ViewerModel) -> float:
    """Simulate whole sessions with random ads."""
    start = time.perf_counter()
    shown = simulate(model, RandomPolicy(), 100_000, np.random.default_rng(0)).videos.sum()
    return float(shown / (time.perf_counter() - start))


def describe_bracket(model: ViewerModel, sessions: int, seed: int) -> str:
    """Solve and bracket the optimum."""
    start = time.perf_counter()
    policy = OptimalPolicy.solve(model)
    solved = time.perf_counter()
    bracket = bracket_optimum(model, policy, sessions, np.random.default_rng(seed))
    bracketed = time.perf_counter()
    return (
        f"optimum {bracket.reached:.4f} to {bracket.bound:.4f} per session, error {bracket.reached_error:.4f}, "
        f"of the gap {bracket.gap_error:.5f}; solved in {solved - start:.2f} s, "
        f"bracketed in {bracketed - solved:.2f} s"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=400, help="how many videos, in four categories")
    parser.add_argument("--sessions", type=int, default=2000, help="how many sessions the optimum is estimated from")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
