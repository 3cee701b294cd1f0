"""Bias, spread and interval coverage of off-policy estimates over many simulated logs.

Run: python benchmarks/off_policy.py --repeats 200
"""

import argparse
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from video_recommender.advertising import off_policy
from video_recommender.advertising.ads import FloatArray
from video_recommender.advertising.environment import SCENARIOS, example_viewers
from video_recommender.advertising.off_policy import evaluate_from_log
from video_recommender.advertising.optimum import OptimalPolicy
from video_recommender.advertising.policies import (
    AdPolicy,
    EpsilonMixedPolicy,
    KindPolicy,
    MatchedGreedyPolicy,
)
from video_recommender.advertising.simulation import log_sessions, simulate
from video_recommender.advertising.viewers import Sessions, ViewerModel

ESTIMATES = ["consequences", "estimator"]
EFFECTIVE_SESSIONS = [0, 30, 100, 300, 1000, np.inf]


@dataclass(frozen=True)
class Blend:
    """Follows `usual`, or for a random `share` of the ads `other`."""

    usual: AdPolicy
    other: AdPolicy
    share: float

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        usual, other = (policy.action_probabilities(model, sessions) for policy in (self.usual, self.other))
        return (1 - self.share) * usual + self.share * other


def main() -> None:
    """Print a table per scenario and logged policy, and how coverage depends on the effective number of sessions."""
    arguments = _parse()
    logging.getLogger(off_policy.__name__).setLevel(logging.ERROR)
    evaluated = []
    for scenario in arguments.scenarios:
        model = example_viewers(options=SCENARIOS[scenario])
        best = OptimalPolicy.solve(model) if scenario == "annoyance" else MatchedGreedyPolicy()
        for name, logged in logged_policies().items():
            targets: dict[str, AdPolicy] = {
                "matched greedy": MatchedGreedyPolicy(),
                "a fifth of the best": Blend(logged, best, 0.2),
            }
            if scenario == "annoyance":
                targets["the best"] = best
            start = time.perf_counter()
            reports = repeat(model, logged, targets, arguments)
            seconds = (time.perf_counter() - start) / arguments.repeats
            print(f"\n{scenario}, log of {name}: {arguments.sessions} sessions, {seconds:.1f} s a log")
            print(summarise(reports).to_string(float_format="{:.2f}".format), flush=True)
            evaluated.append(reports.assign(scenario=scenario))
    everything = pd.concat(evaluated)
    fitting = everything[(everything["consequences"] != "none") | (everything["scenario"] != "annoyance")]
    effective = pd.cut(fitting["effective_sessions"], EFFECTIVE_SESSIONS, right=False)
    print("\ncoverage of reliable rows if the assumption holds (`none`: without annoyance)")
    print(fitting[fitting["is_reliable"]].groupby(ESTIMATES)["holds"].agg(["mean", "count"]).to_string())
    print("\ncoverage by effective sessions")
    print(fitting.groupby([*ESTIMATES, effective], observed=True)["holds"].agg(["mean", "count"]).to_string())


def logged_policies() -> dict[str, AdPolicy]:
    """Return the logged policies by name."""
    both_kinds = Blend(KindPolicy("long"), KindPolicy("short"), 0.5)
    return {
        "short ads, 30 % at random": EpsilonMixedPolicy(KindPolicy("short"), 0.3),
        "both kinds, 20 % at random": EpsilonMixedPolicy(both_kinds, 0.2),
    }


def repeat(
    model: ViewerModel, logged: AdPolicy, targets: Mapping[str, AdPolicy], arguments: argparse.Namespace
) -> pd.DataFrame:
    """Evaluate the policies from many logs, and simulate their true revenue."""
    truth = {
        name: simulate(model, policy, arguments.truth, np.random.default_rng(2**32)).revenue.mean()
        for name, policy in targets.items()
    }
    reports = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.repeats):
        log = log_sessions(model, logged, arguments.sessions, np.random.default_rng(seed))
        reports.append(evaluate_from_log(log, model, targets))
    table = pd.concat(reports, ignore_index=True)
    table["truth"] = table["policy"].map(truth)
    table["holds"] = (table["value_low"] <= table["truth"]) & (table["truth"] <= table["value_high"])
    return table


def summarise(reports: pd.DataFrame) -> pd.DataFrame:
    """Summarise repeats: coverage with its standard error, bias, spread, and half width of the intervals."""
    reports = reports.assign(
        off=reports["value"] - reports["truth"], half_width=(reports["value_high"] - reports["value_low"]) / 2
    )
    by_estimate = reports.groupby(["policy", "truth", *ESTIMATES], sort=False)
    coverage = by_estimate["holds"].mean()
    return pd.DataFrame(
        {
            "coverage": coverage,
            "±": np.sqrt(coverage * (1 - coverage) / by_estimate.size()),
            "bias": by_estimate["off"].mean(),
            "spread": by_estimate["off"].std(),
            "half width": by_estimate["half_width"].mean(),
            "effective": by_estimate["effective_sessions"].median(),
            "reliable": by_estimate["is_reliable"].mean(),
        }
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="logs per scenario and logged policy")
    parser.add_argument("--first-seed", type=int, default=1000, help="limits were chosen on seeds below 1000")
    parser.add_argument("--sessions", type=int, default=2000, help="in each log")
    parser.add_argument("--truth", type=int, default=400_000, help="sessions for the true revenue of a policy")
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
