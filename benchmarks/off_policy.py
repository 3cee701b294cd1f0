"""Bias and interval coverage of off-policy estimates over many simulated logs.

The true revenue of each policy comes from a simulation. `reliable` marks rows in which `is_reliable` is true.

    python benchmarks/off_policy.py --repeats 200
"""

import argparse
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from benchmark_results import argument_parser, report_results, result

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
    """Follows `other` for a random `share` of the ads, and `usual` for the rest."""

    usual: AdPolicy
    other: AdPolicy
    share: float

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        usual, other = (policy.action_probabilities(model, sessions) for policy in (self.usual, self.other))
        return (1 - self.share) * usual + self.share * other


def main() -> None:
    """Measure how often the intervals contain the truth, by estimator and by the effective number of sessions."""
    arguments = _parse()
    logging.getLogger(off_policy.__name__).setLevel(logging.ERROR)
    evaluated = []
    for scenario in arguments.scenarios:
        model = example_viewers(options=SCENARIOS[scenario])
        best = OptimalPolicy.solve(model) if scenario == "annoyance" else MatchedGreedyPolicy()
        for name, logged in logged_policies().items():
            targets: dict[str, AdPolicy] = {
                "matched_greedy": MatchedGreedyPolicy(),
                "mixed": Blend(logged, best, 0.2),
            }
            if scenario == "annoyance":
                targets["optimum"] = best
            start = time.perf_counter()
            reports = repeat(model, logged, targets, arguments)
            seconds = (time.perf_counter() - start) / arguments.repeats
            print(f"\n{scenario}, log of {name}: {arguments.sessions} sessions, {seconds:.1f} s a log")
            print(summarise(reports).to_string(float_format="{:.2f}".format), flush=True)
            evaluated.append(reports.assign(scenario=scenario))
    everything = pd.concat(evaluated)
    fitting = everything[(everything["consequences"] != "none") | (everything["scenario"] != "annoyance")]
    effective = pd.cut(fitting["effective_sessions"], EFFECTIVE_SESSIONS, right=False)
    print("\ncoverage by effective sessions, if the assumption holds (`none`: without annoyance)")
    print(fitting.groupby([*ESTIMATES, effective], observed=True)["holds"].agg(["mean", "count"]).to_string())
    print()
    reliable = fitting[fitting["is_reliable"] & (fitting["estimator"] == "doubly_robust")]
    results = {
        f"coverage_{consequences}": result(
            coverage, "share", f"reliable 95 % intervals with `{consequences}` that contain the truth", "simulation"
        )
        for consequences, coverage in reliable.groupby("consequences")["holds"].mean().items()
    }
    report_results(results, arguments.json)


def logged_policies() -> dict[str, AdPolicy]:
    """Return the logged policies by name; 30 % or 20 % of their ads are random."""
    both_kinds = Blend(KindPolicy("long"), KindPolicy("short"), 0.5)
    return {
        "short ads": EpsilonMixedPolicy(KindPolicy("short"), 0.3),
        "both kinds": EpsilonMixedPolicy(both_kinds, 0.2),
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
    """Summarise repeats: coverage and its standard error, bias, standard deviation, half width of the intervals."""
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
            "deviation": by_estimate["off"].std(),
            "half width": by_estimate["half_width"].mean(),
            "effective": by_estimate["effective_sessions"].median(),
            "reliable": by_estimate["is_reliable"].mean(),
        }
    )


def _parse() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=200, help="logs per scenario and logged policy")
    parser.add_argument(
        "--first-seed", type=int, default=1000, help="the limits of `is_reliable` were tuned on seeds below 1000"
    )
    parser.add_argument("--sessions", type=int, default=2000, help="sessions per log")
    parser.add_argument("--truth", type=int, default=400_000, help="sessions to simulate the true revenue of a policy")
    parser.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
