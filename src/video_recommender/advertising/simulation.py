"""Simulate sessions under a policy, log them, and reconstruct the states of sessions from a log."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.advertising.ads import FloatArray, IntArray
from video_recommender.advertising.policies import AdPolicy, draw_ads
from video_recommender.advertising.viewers import ABSENT, Sessions, StepResult, ViewerModel
from video_recommender.schemas import AdSessionLog


@dataclass(frozen=True, eq=False)
class SimulationStep:
    """The n-th ads of all sessions with at least n ads, and the states before the ads.

    `session` has session numbers, and `ads` indices of ads, both of shape (sessions,). `probabilities` has the action
    probabilities of the policy, shape (sessions, ads).
    """

    session: IntArray
    before: Sessions
    probabilities: FloatArray
    ads: IntArray
    result: StepResult


@dataclass(frozen=True, eq=False)
class SessionTotals:
    """Revenue, number of videos (equal to the number of ads shown) and number of watched ads, shape (sessions,).

    `…_by_category` is how often each ad was shown or watched before videos of each category, shape (categories, ads).
    """

    revenue: FloatArray
    videos: IntArray
    watched: IntArray
    shown_by_category: IntArray
    watched_by_category: IntArray


def simulate(model: ViewerModel, policy: AdPolicy, sessions: int, rng: np.random.Generator) -> SessionTotals:
    """Simulate `sessions` sessions to their end and compute their totals."""
    revenue = np.zeros(sessions)
    videos, watched = np.zeros(sessions, np.int64), np.zeros(sessions, np.int64)
    by_category = np.zeros((2, len(model.category_names), len(model.ads)), np.int64)
    for step in simulate_steps(model, policy, sessions, rng):
        revenue[step.session] += step.result.reward
        videos[step.session] += 1
        watched[step.session] += step.result.watched
        category = model.video_category[step.before.video]
        np.add.at(by_category[0], (category, step.ads), 1)
        np.add.at(by_category[1], (category, step.ads), step.result.watched)
    return SessionTotals(revenue, videos, watched, by_category[0], by_category[1])


def simulate_steps(
    model: ViewerModel, policy: AdPolicy, sessions: int, rng: np.random.Generator
) -> Iterator[SimulationStep]:
    """Simulate sessions to their end. Yields the first ads of all sessions, then the second ads, and so on."""
    running = model.start_sessions(sessions, rng)
    numbers = np.arange(sessions)
    while len(running):
        probabilities = policy.action_probabilities(model, running)
        ads = draw_ads(probabilities, rng)
        result = model.show_ads(running, ads, rng)
        yield SimulationStep(numbers, running, probabilities, ads, result)
        continues = ~result.is_over
        running, numbers = result.sessions.take(continues), numbers[continues]


def log_sessions(
    model: ViewerModel, policy: AdPolicy, sessions: int, rng: np.random.Generator
) -> DataFrame[AdSessionLog]:
    """Simulate sessions and log every ad with its propensity, which is the probability that the policy shows the ad.

    Raises a `ValueError` if the policy shows an ad with probability 0 in any state.
    """
    tables = []
    for number, step in enumerate(simulate_steps(model, policy, sessions, rng), 1):
        never = (step.probabilities <= 0).any(axis=0)
        if never.any():
            raise ValueError(
                f"The policy shows ad {model.ads.ad_ids[int(never.argmax())]} with probability 0 in some states, so "
                "the log cannot cover it: add exploration, for example EpsilonMixedPolicy(policy, epsilon=0.1)"
            )
        columns = {
            "session": step.session + 1,
            "step": number,
            "video_id": np.array(model.video_ids)[step.before.video],
            "ad_id": np.array(model.ads.ad_ids)[step.ads],
            "propensity": step.probabilities[np.arange(len(step.ads)), step.ads],
            "watched": step.result.watched,
            "reward": step.result.reward,
        }
        tables.append(pd.DataFrame(columns))
    return AdSessionLog.validate(pd.concat(tables).sort_values(["session", "step"], ignore_index=True))


def replay_sessions(log: DataFrame[AdSessionLog], model: ViewerModel) -> Sessions:
    """Reconstruct the state before each logged ad, for which other policies can compute their action probabilities.

    States are sorted by session and step. `taste` is -1 (unknown). Raises a `ValueError` if a step is missing, a
    session exceeds `max_videos`, or a video or an ad is unknown.
    """
    ordered = _sort_steps(log, model)
    video, ad = indices_of(ordered["video_id"], model.video_ids), indices_of(ordered["ad_id"], model.ads.ad_ids)
    position = ordered["step"].to_numpy() - 1
    rows, is_first = np.arange(len(ordered)), position == 0
    first_row = rows - position
    starts_streak = is_first | (ad != np.roll(ad, 1))
    streak = rows - np.maximum.accumulate(np.where(starts_streak, rows, 0)) + 1
    shown = np.eye(len(model.ads), dtype=np.int64)[ad]
    watched = shown * ordered["watched"].to_numpy(np.int64)[:, np.newaxis]
    shown_before, watched_before = (counts.cumsum(axis=0) - counts for counts in (shown, watched))
    columns = np.arange(model.options.max_videos)
    visited = video[np.minimum(first_row[:, np.newaxis] + columns, len(ordered) - 1)]
    return Sessions(
        video=video,
        position=position,
        last_ad=np.where(is_first, ABSENT, np.roll(ad, 1)),
        streak=np.where(is_first, 0, np.roll(streak, 1)),
        shown=shown_before - shown_before[first_row],
        watched=watched_before - watched_before[first_row],
        visited=np.where(columns <= position[:, np.newaxis], visited, ABSENT).astype(np.int32),
        taste=np.full(len(ordered), ABSENT),
    )


def indices_of(names: "pd.Series[str]", known: tuple[str, ...]) -> IntArray:
    """Look up the index of each `video_id` or `ad_id` of a log. Raises a `ValueError` if an id is unknown."""
    indices = pd.Index(known).get_indexer(pd.Index(names)).astype(np.int64)
    if (indices < 0).any():
        unknown = names.iloc[int((indices < 0).argmax())]
        raise ValueError(
            f"The log has the unknown {names.name} {unknown}: remove the sessions with it, or run the stages up to "
            "advertising again"
        )
    return indices


def _sort_steps(log: DataFrame[AdSessionLog], model: ViewerModel) -> pd.DataFrame:
    ordered = log.sort_values(["session", "step"], ignore_index=True)
    expected = ordered.groupby("session").cumcount() + 1
    if not expected.equals(ordered["step"]):
        row = int((expected != ordered["step"]).to_numpy().argmax())
        raise ValueError(
            f"Session {ordered['session'][row]} of the log has no step {expected[row]}: log every ad, or remove the "
            "session"
        )
    if (longest := ordered["step"].max()) > model.options.max_videos:
        raise ValueError(
            f"The log has a session of {longest} videos, but sessions end after {model.options.max_videos}: increase "
            "advertising.viewer.max_videos and run `kedro run --pipelines=advertising` again"
        )
    return ordered
