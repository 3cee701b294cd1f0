"""The log of ads shown: what a platform writes down of its sessions, and what can be told from that afterwards."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.advertising.policies import AdPolicy
from video_recommender.advertising.sessions import NOTHING, Sessions
from video_recommender.advertising.simulate import ShownTogether, trace_sessions
from video_recommender.advertising.viewer_model import FloatArray, IntArray, ViewerModel
from video_recommender.schemas import AdSessionLog


def log_sessions(
    model: ViewerModel, policy: AdPolicy, sessions: int, rng: np.random.Generator
) -> DataFrame[AdSessionLog]:
    """Simulate sessions and log every ad, with the probability that it had to be shown: its propensity.

    Args:
        model: the viewers.
        policy: what is in use while the log is written; it must give every ad a chance in every situation.
        sessions: how many.
        rng: draws everything; the same state gives the same log.

    Returns:
        A row per ad shown, ordered by session and step.

    Raises:
        ValueError: if the policy gives an ad no chance: a log tells nothing of what was never tried.
    """
    parts = [_rows(model, step, number) for number, step in enumerate(trace_sessions(model, policy, sessions, rng), 1)]
    log = pd.concat(parts).sort_values(["session", "step"], ignore_index=True)
    return AdSessionLog.validate(log)


def replay_sessions(log: DataFrame[AdSessionLog], model: ViewerModel) -> Sessions:
    """Tell where each session of a log was just before each ad, so that any policy can be asked what it would show.

    Args:
        log: whole sessions, in any order.
        model: what is known of the videos and ads; nothing of how viewers behave is used.

    Returns:
        One entry per row of the log, ordered by session and step. What viewers hide, their taste, is unknown.

    Raises:
        ValueError: if a step is missing, a session is longer than the model allows, or a video or an ad is unknown.
    """
    ordered = _in_order(log, model)
    video, ad = positions_of(ordered["video_id"], model.video_ids), positions_of(ordered["ad_id"], model.ads.ad_ids)
    position = ordered["step"].to_numpy() - 1
    rows, is_first = np.arange(len(ordered)), position == 0
    first_row = rows - position
    new_run = is_first | (ad != np.roll(ad, 1))
    run_length = rows - np.maximum.accumulate(np.where(new_run, rows, 0)) + 1
    shown = np.eye(len(model.ads), dtype=np.int64)[ad]
    columns = np.arange(model.options.max_videos)
    visited = video[np.minimum(first_row[:, np.newaxis] + columns, len(ordered) - 1)]
    return Sessions(
        video=video,
        position=position,
        last_ad=np.where(is_first, NOTHING, np.roll(ad, 1)),
        streak=np.where(is_first, 0, np.roll(run_length, 1)),
        shown=_earlier_in_session(shown, first_row),
        watched=_earlier_in_session(shown * ordered["watched"].to_numpy(np.int64)[:, np.newaxis], first_row),
        visited=np.where(columns <= position[:, np.newaxis], visited, NOTHING).astype(np.int32),
        taste=np.full(len(ordered), NOTHING),
    )


def positions_of(names: "pd.Series[str]", known: tuple[str, ...]) -> IntArray:
    """Look up names of videos or ads.

    Args:
        names: what to look up, `video_id` or `ad_id` of a log.
        known: all names, each once.

    Returns:
        int64, shape (names,).

    Raises:
        ValueError: if a name is unknown.
    """
    positions = pd.Index(known).get_indexer(pd.Index(names)).astype(np.int64)
    if (positions < 0).any():
        unknown = names.iloc[int((positions < 0).argmax())]
        raise ValueError(
            f"The log tells of {names.name} {unknown}, which is not known any more: drop the sessions with it, or run "
            "the stages before advertising again"
        )
    return positions


def _rows(model: ViewerModel, step: ShownTogether, number: int) -> pd.DataFrame:
    _demand_a_chance_for_all(step.probabilities, model)
    return pd.DataFrame(
        {
            "session": step.session + 1,
            "step": number,
            "video_id": np.array(model.video_ids)[step.before.video],
            "ad_id": np.array(model.ads.ad_ids)[step.ads],
            "propensity": step.probabilities[np.arange(len(step.ads)), step.ads],
            "watched": step.shown.watched,
            "reward": step.shown.reward,
        }
    )


def _demand_a_chance_for_all(probabilities: FloatArray, model: ViewerModel) -> None:
    never = (probabilities <= 0).any(axis=0)
    if never.any():
        raise ValueError(
            f"The policy would sometimes never show ad {model.ads.ad_ids[int(never.argmax())]}, so that the log could "
            "not tell of it: mix the policy with chance, such as EpsilonMixedPolicy(policy, epsilon=0.1)"
        )


def _in_order(log: DataFrame[AdSessionLog], model: ViewerModel) -> pd.DataFrame:
    ordered = log.sort_values(["session", "step"], ignore_index=True)
    expected = ordered.groupby("session").cumcount() + 1
    if not expected.equals(ordered["step"]):
        row = int((expected != ordered["step"]).to_numpy().argmax())
        raise ValueError(
            f"Session {ordered['session'][row]} of the log lacks step {expected[row]}: log every ad, or drop the "
            "session"
        )
    if (longest := ordered["step"].max()) > model.options.max_videos:
        raise ValueError(
            f"The log has a session of {longest} videos, but the model ends them after {model.options.max_videos}: "
            "raise advertising.viewer.max_videos"
        )
    return ordered


def _earlier_in_session(counts: NDArray[np.int64], first_row: IntArray) -> IntArray:
    before = counts.cumsum(axis=0) - counts
    return np.asarray(before - before[first_row])
