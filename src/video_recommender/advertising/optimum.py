"""The optimum: the highest expected revenue per session if the viewers' behaviour is known.

Without annoyance, the ad with the highest expected reward is optimal. With annoyance, exact backward induction is
infeasible, because the state includes all visited videos. Close bounds exist:

- Lower bound, `OptimalPolicy`: backward induction (Bellman 1957), with values that assume that videos can repeat.
- Upper bound, information relaxation (Brown, Smith and Sun 2010, doi:10.1287/opre.1090.0796): a policy that knows all
  future videos of the session, minus a penalty for this knowledge. Without this knowledge, the mean penalty is 0.

Both bounds use the viewers' tastes, which agents cannot observe.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from video_recommender.advertising.ads import FloatArray
from video_recommender.advertising.policies import one_hot
from video_recommender.advertising.viewers import ABSENT, Sessions, ViewerModel

PATHS_PER_BATCH = 256  # limits memory use


@dataclass(frozen=True, eq=False)
class OptimalPolicy:
    """The optimal policy without annoyance; with annoyance, a close approximation (see `bracket_optimum`).

    `values` has the expected return if videos could repeat, by taste (one entry without tastes), position, video,
    previous ad and streak of this ad (1-based), shape (tastes, positions + 1, videos, ads, streaks). Without annoyance,
    `values` is empty.
    """

    values: FloatArray

    @classmethod
    def solve(cls, model: ViewerModel) -> Self:
        """Compute the policy for these viewers. The values need 8 bytes × tastes × `max_videos`² × videos × ads."""
        options = model.options
        if options.annoyance_long == options.annoyance_repeat == 0:
            return cls(np.empty(0))
        tastes = range(len(model.category_names)) if options.tastes else [ABSENT]
        return cls(np.stack([_values(model, taste) for taste in tastes]))

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`."""
        earned = model.expected_reward(sessions)
        if self.values.size:
            stays = 1 - model.leave_probability(sessions.last_ad, sessions.streak)
            earned = earned + stays * self._next_values(model, sessions)
        return one_hot(earned.argmax(axis=1), len(model.ads))

    def _next_values(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """Compute the expected value of the next state after each ad if the viewer stays, shape (sessions, ads)."""
        ads = np.arange(len(model.ads))
        repeats = np.where(ads == sessions.last_ad[:, np.newaxis], sessions.streak[:, np.newaxis], 0)
        values = self.values[
            sessions.taste[:, np.newaxis, np.newaxis],  # without tastes, -1 selects the only entry
            sessions.position[:, np.newaxis, np.newaxis] + 1,
            model.neighbours[sessions.video][:, :, np.newaxis],
            ads,
            np.minimum(repeats, self.values.shape[-1] - 1)[:, np.newaxis, :],
        ]
        return np.asarray(np.einsum("sn,sna->sa", model.next_video_probability(sessions), values))


def bracket_optimum(
    model: ViewerModel, policy: OptimalPolicy, sessions: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Estimate a lower and an upper bound of the optimal revenue per session, from a policy solved for these viewers.

    Only the videos and tastes of the sessions are drawn; expectations over watching and leaving are exact.

    Returns:
        Expected revenue of the policy in each session, and an upper bound for all policies, both of shape (sessions,).
    """
    lower, upper = np.empty(sessions), np.empty(sessions)
    for start in range(0, sessions, PATHS_PER_BATCH):
        rows = slice(start, min(start + PATHS_PER_BATCH, sessions))
        paths = _draw_paths(model, rows.stop - rows.start, rng)
        lower[rows] = _lower_bound(model, policy, paths)
        upper[rows] = _upper_bound(model, policy, paths) if policy.values.size else lower[rows]
    return lower, upper


def _values(model: ViewerModel, taste: int) -> FloatArray:
    """Compute the values for one taste, shape (positions + 1, videos, ads, streaks)."""
    videos, ads, positions = len(model.video_ids), len(model.ads), model.options.max_videos
    stays = _stay_probability(model)
    everywhere = replace(model.start_everywhere(), taste=np.full(videos, taste))
    earned = model.expected_reward(everywhere)
    # Transition probabilities between videos if the viewer stays, shape (videos, videos).
    probabilities = model.next_video_probability(everywhere)
    row, column = np.nonzero(probabilities)
    cells = (row, model.neighbours[row, column])
    transitions = csr_array((probabilities[row, column], cells), shape=(videos, videos))
    values = np.zeros((positions + 1, videos, ads, stays.shape[1]))
    for position in range(positions - 1, 0, -1):
        next_values = (transitions @ values[position + 1].reshape(videos, -1)).reshape(values.shape[1:])
        values[position] = _best(earned[:, :, np.newaxis] + stays * next_values)
    return values


def _stay_probability(model: ViewerModel) -> FloatArray:
    """Return the probability that the viewer stays after each ad and streak (1-based), shape (ads, streaks)."""
    ads = len(model.ads)
    streaks = model.options.max_videos if model.options.annoyance_repeat else 1
    last, before = np.repeat(np.arange(ads), streaks), np.tile(np.arange(streaks), ads)
    leaves = model.leave_probability(last, before)[np.arange(len(last)), last]
    return 1 - leaves.reshape(ads, streaks)


def _best(earned: FloatArray) -> FloatArray:
    """Maximise action values over the next ad, shape (…, ads, streaks).

    The axes of `earned` are the next ad and its new streak. The axes of the result are the previous ad and its streak.
    """
    first_time = earned[..., 0]
    ranked = np.argsort(first_time, axis=-1)
    best, second = (np.take_along_axis(first_time, ranked[..., [-place]], axis=-1) for place in (1, 2))
    other = np.where(np.arange(first_time.shape[-1]) == ranked[..., [-1]], second, best)
    again = np.concatenate([earned[..., 1:], earned[..., -1:]], axis=-1)  # the streak increases by 1, up to the maximum
    return np.asarray(np.maximum(other[..., np.newaxis], again))


def _draw_paths(model: ViewerModel, sessions: int, rng: np.random.Generator) -> Sessions:
    """Draw complete sessions of viewers who leave only if no unseen video is recommended."""
    never_leave = {"leave_probability": 0.0, "annoyance_long": 0.0, "annoyance_repeat": 0.0}
    staying = replace(model, options=model.options.model_copy(update=never_leave))
    paths = staying.start_sessions(sessions, rng)
    for _ in range(model.options.max_videos - 1):
        paths = staying.show_ads(paths, np.zeros(sessions, np.int64), rng).sessions
    return paths


def _at(model: ViewerModel, paths: Sessions, position: int) -> Sessions:
    """Return the sessions at a position, without ads. If a session has already ended, its video is -1."""
    fresh = model.start_sessions(len(paths), np.random.default_rng(0), paths.visited[:, 0].astype(np.int64))
    visited = np.where(np.arange(model.options.max_videos) <= position, paths.visited, ABSENT)
    video = paths.visited[:, position].astype(np.int64)
    return replace(fresh, video=video, position=np.full(len(paths), position), visited=visited, taste=paths.taste)


def _lower_bound(model: ViewerModel, policy: OptimalPolicy, paths: Sessions) -> FloatArray:
    """Compute the expected revenue of the policy along each path. Subtracting the penalty reduces the variance."""
    earned, is_active = np.zeros(len(paths)), np.ones(len(paths))
    last, streak, rows = np.full(len(paths), ABSENT), np.zeros(len(paths), np.int64), np.arange(len(paths))
    for position in range(model.options.max_videos):
        sessions = replace(_at(model, paths, position), last_ad=last, streak=streak)
        is_active = is_active * (sessions.video != ABSENT)
        ads = policy.action_probabilities(model, sessions).argmax(axis=1)
        earned += is_active * model.expected_reward(sessions)[rows, ads]
        is_active = is_active * (1 - model.leave_probability(last, streak)[rows, ads])
        last, streak = ads, np.where(ads == last, streak, 0) + 1
        if policy.values.size:
            in_a_row = np.minimum(streak, policy.values.shape[-1])
            earned -= is_active * _penalty(model, policy, sessions, paths)[rows, ads, in_a_row - 1]
    return earned


def _upper_bound(model: ViewerModel, policy: OptimalPolicy, paths: Sessions) -> FloatArray:
    """Compute the highest expected revenue, minus the penalty, along each path if the path is known."""
    stays = _stay_probability(model)
    next_values = np.zeros((len(paths), *stays.shape))
    for position in range(model.options.max_videos - 1, -1, -1):
        sessions = _at(model, paths, position)
        earned = model.expected_reward(sessions)[:, :, np.newaxis]
        by_ad = earned + stays * (next_values - _penalty(model, policy, sessions, paths))
        next_values = np.where((sessions.video != ABSENT)[:, np.newaxis, np.newaxis], _best(by_ad), 0)
    return np.asarray(by_ad[..., 0].max(axis=1))


def _penalty(model: ViewerModel, policy: OptimalPolicy, sessions: Sessions, paths: Sessions) -> FloatArray:
    """Return the value of the next video minus the expected value, shape (sessions, ads, streaks)."""
    position = int(sessions.position[0]) + 1
    values, taste = policy.values[:, position], sessions.taste
    after = values[taste[:, np.newaxis], model.neighbours[sessions.video]]
    expected = np.einsum("sn,snak->sak", model.next_video_probability(sessions), after)
    if position == model.options.max_videos:
        return np.asarray(-expected)
    next_video = paths.visited[:, position]
    known = np.where((next_video != ABSENT)[:, np.newaxis, np.newaxis], values[taste, next_video], 0)
    return np.asarray(known - expected)
