"""The most that can be earned from viewers whose every habit is known: what agents are measured by.

Where ads do not change when viewers leave, the ad that earns most just now is the best one. Where they do, the whole
past of a session counts, because no video comes twice: too many pasts to go through. But which videos a viewer comes by
does not depend on the ads, so the optimum can be bracketed closely:

- from below by a policy that anybody who knows the viewers could follow, `OptimalPolicy`: backward induction (Bellman
  1957) over step, video, last ad and how often it was shown in a row, as if videos could come again; when it chooses,
  it looks at where the session can really go next, and goes by these values from there on;
- from above by information relaxation (Brown, Smith and Sun 2010, doi:10.1287/opre.1090.0796): somebody who is told all
  videos to come earns at least as much. What that knowledge is worth by the values above is charged as a penalty, which
  for whoever does not know amounts to nothing on average.

Where viewers have tastes, all of this knows them, which no agent does: a bound from above then, not the optimum.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from video_recommender.advertising.policies import show_only
from video_recommender.advertising.sessions import NOTHING, Sessions
from video_recommender.advertising.viewer_model import FloatArray, IntArray, ViewerModel

PATHS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class OptimalPolicy:
    """Earns the most that is possible where ads have no consequences, and all but that where they have.

    Attributes:
        values: what is earned from each position on, if videos could come again; float64, shape (tastes, positions + 1,
            videos, ads, streaks): by the viewer's taste, then by the ad that was shown last, and how often in a row
            (the first being once). There is one taste where viewers have none. Empty where ads have no consequences.
    """

    values: FloatArray

    @classmethod
    def solve(cls, model: ViewerModel) -> Self:
        """Find the values, for 400 videos and 8 ads within a second.

        Args:
            model: the viewers. Memory: 8 bytes × tastes × `max_videos`² × videos × ads.

        Returns:
            The policy for these viewers.
        """
        if not _ads_have_consequences(model):
            return cls(np.empty(0))
        return cls(np.stack([_values(model, taste) for taste in _tastes(model)]))

    def action_probabilities(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """See `AdPolicy`; of several best ads, the first."""
        earned = model.expected_reward(sessions)
        if self.values.size:
            earned = earned + (1 - model.leave_probability(sessions)) * self._later(model, sessions)
        return show_only(earned.argmax(axis=1), len(model.ads))

    def _later(self, model: ViewerModel, sessions: Sessions) -> FloatArray:
        """What is earned later on, after each ad, by viewers who stay; shape (sessions, ads)."""
        ads = np.arange(len(model.ads))
        repeats = np.where(ads == sessions.last_ad[:, np.newaxis], sessions.streak[:, np.newaxis], 0)
        values = self.values[
            _taste_positions(model, sessions.taste)[:, np.newaxis, np.newaxis],
            sessions.position[:, np.newaxis, np.newaxis] + 1,
            model.neighbours[sessions.video][:, :, np.newaxis],
            ads,
            np.minimum(repeats, self.values.shape[-1] - 1)[:, np.newaxis, :],
        ]
        return np.asarray(np.einsum("sn,sna->sa", model.next_video_probability(sessions), values))


@dataclass(frozen=True)
class OptimumBracket:
    """Between what the optimum per session lies.

    Attributes:
        reached: what `OptimalPolicy` earns per session; never more than `bound`.
        reached_error: the standard error of that.
        bound: what cannot be exceeded.
        bound_error: the standard error of that.
        gap_error: the standard error of the difference, which is smaller, because the same viewers are looked at.
    """

    reached: float
    reached_error: float
    bound: float
    bound_error: float
    gap_error: float


def bracket_optimum(
    model: ViewerModel, policy: OptimalPolicy, sessions: int, rng: np.random.Generator
) -> OptimumBracket:
    """Estimate what can be earned, from below and from above.

    Only the videos and tastes of the viewers are drawn; watching and leaving are reckoned with.

    Args:
        model: the viewers.
        policy: solved for them.
        sessions: how many are drawn, at least 2.
        rng: draws them.

    Returns:
        See `OptimumBracket`.
    """
    reached, bound = np.empty(sessions), np.empty(sessions)
    for start in range(0, sessions, PATHS_AT_ONCE):
        rows = slice(start, min(start + PATHS_AT_ONCE, sessions))
        paths = _draw_paths(model, rows.stop - rows.start, rng)
        reached[rows] = _reached(model, policy, paths)
        bound[rows] = _bound(model, policy, paths) if policy.values.size else reached[rows]
    errors = [float(np.std(values, ddof=1) / np.sqrt(sessions)) for values in (reached, bound, bound - reached)]
    return OptimumBracket(float(reached.mean()), errors[0], float(bound.mean()), errors[1], errors[2])


def _ads_have_consequences(model: ViewerModel) -> bool:
    return model.options.annoyance_long > 0 or model.options.annoyance_repeat > 0


def _tastes(model: ViewerModel) -> IntArray:
    return np.arange(len(model.category_names)) if model.options.tastes else np.array([NOTHING])


def _taste_positions(model: ViewerModel, taste: IntArray) -> IntArray:
    return taste if model.options.tastes else np.zeros_like(taste)


def _values(model: ViewerModel, taste: int) -> FloatArray:
    """The values of one taste, shape (positions + 1, videos, ads, streaks)."""
    videos, ads, positions = len(model.video_ids), len(model.ads), model.options.max_videos
    stays = _stay_probability(model)
    everywhere = model.start_sessions(videos, np.random.default_rng(0), np.arange(videos))
    earned = model.expected_reward(replace(everywhere, taste=np.full(videos, taste)))
    goes_to = _transitions(model, everywhere)
    values = np.zeros((positions + 1, videos, ads, stays.shape[1]))
    for position in range(positions - 1, 0, -1):
        later = (goes_to @ values[position + 1].reshape(videos, -1)).reshape(values.shape[1:])
        values[position] = _best(earned[:, :, np.newaxis] + stays * later)
    return values


def _stay_probability(model: ViewerModel) -> FloatArray:
    """How probably a viewer stays after each ad, by how often it was shown in a row, from once; (ads, streaks)."""
    ads = len(model.ads)
    streaks = model.options.max_videos if model.options.annoyance_repeat else 1
    last, before = np.repeat(np.arange(ads), streaks), np.tile(np.arange(streaks), ads)
    leaves = model.leave_probability_of(last, before)[np.arange(len(last)), last]
    return 1 - leaves.reshape(ads, streaks)


def _transitions(model: ViewerModel, sessions: Sessions) -> csr_array:
    """How probably who stays goes from each video to each; rows sum to 1, or to 0 where there is nowhere to go."""
    probabilities = model.next_video_probability(sessions)
    row, column = np.nonzero(probabilities)
    videos = len(model.video_ids)
    return csr_array((probabilities[row, column], (row, model.neighbours[row, column])), shape=(videos, videos))


def _best(earned: FloatArray) -> FloatArray:
    """Choose the best ad after each last ad and streak.

    Args:
        earned: by the ad that is shown, and how often that is in a row, from once; shape (…, ads, streaks).

    Returns:
        What the best choice earns, by the last ad and how often it was shown in a row, from once; the same shape.
    """
    first_time = earned[..., 0]
    ranked = np.argsort(first_time, axis=-1)
    best, second = (np.take_along_axis(first_time, ranked[..., [-place]], axis=-1) for place in (1, 2))
    other = np.where(np.arange(first_time.shape[-1]) == ranked[..., [-1]], second, best)
    again = np.concatenate([earned[..., 1:], earned[..., -1:]], axis=-1)  # once more than it was; no more is counted
    return np.asarray(np.maximum(other[..., np.newaxis], again))


def _draw_paths(model: ViewerModel, sessions: int, rng: np.random.Generator) -> Sessions:
    """Sessions at their last video, of viewers who never leave before they must."""
    patient = replace(
        model, options=model.options.model_copy(update={"leave": 0.0, "annoyance_long": 0.0, "annoyance_repeat": 0.0})
    )
    paths = patient.start_sessions(sessions, rng)
    for _ in range(model.options.max_videos - 1):
        paths = patient.show_ads(paths, np.zeros(sessions, np.int64), rng).sessions
    return paths


def _at(model: ViewerModel, paths: Sessions, position: int) -> Sessions:
    """The sessions when they were at a position, before any ad; the video is -1 where they did not come so far."""
    fresh = model.start_sessions(len(paths), np.random.default_rng(0), paths.visited[:, 0].astype(np.int64))
    visited = np.where(np.arange(model.options.max_videos) <= position, paths.visited, NOTHING)
    return replace(
        fresh,
        video=paths.visited[:, position].astype(np.int64),
        position=np.full(len(paths), position),
        visited=visited,
        taste=paths.taste,
    )


def _reached(model: ViewerModel, policy: OptimalPolicy, paths: Sessions) -> FloatArray:
    """What the policy earns along each path on average, less the penalty, so that chance in the paths evens out."""
    earned, is_there = np.zeros(len(paths)), np.ones(len(paths))
    last, streak, rows = np.full(len(paths), NOTHING), np.zeros(len(paths), np.int64), np.arange(len(paths))
    for position in range(model.options.max_videos):
        sessions = replace(_at(model, paths, position), last_ad=last, streak=streak)
        is_there = is_there * (sessions.video != NOTHING)
        ads = policy.action_probabilities(model, sessions).argmax(axis=1)
        earned += is_there * model.expected_reward(sessions)[rows, ads]
        is_there = is_there * (1 - model.leave_probability(sessions)[rows, ads])
        last, streak = ads, np.where(ads == last, streak, 0) + 1
        if policy.values.size:
            in_a_row = np.minimum(streak, policy.values.shape[-1])
            earned -= is_there * _penalty(model, policy, sessions, paths)[rows, ads, in_a_row - 1]
    return earned


def _bound(model: ViewerModel, policy: OptimalPolicy, paths: Sessions) -> FloatArray:
    """What somebody earns along each path on average who knows it, less the penalty."""
    stays = _stay_probability(model)
    later = np.zeros((len(paths), *stays.shape))
    for position in range(model.options.max_videos - 1, -1, -1):
        sessions = _at(model, paths, position)
        earned = model.expected_reward(sessions)[:, :, np.newaxis]
        by_ad = earned + stays * (later - _penalty(model, policy, sessions, paths))
        later = np.where((sessions.video != NOTHING)[:, np.newaxis, np.newaxis], _best(by_ad), 0)
    return np.asarray(by_ad[..., 0].max(axis=1))


def _penalty(model: ViewerModel, policy: OptimalPolicy, sessions: Sessions, paths: Sessions) -> FloatArray:
    """What the next video of each path is worth, more than what comes next is worth on average.

    Returns:
        By the ad that is shown now, and how often that is in a row, from once; shape (sessions, ads, streaks).
    """
    position = int(sessions.position[0]) + 1
    believed, taste = policy.values[:, position], _taste_positions(model, sessions.taste)
    after = believed[taste[:, np.newaxis], model.neighbours[sessions.video]]
    expected = np.einsum("sn,snak->sak", model.next_video_probability(sessions), after)
    if position == model.options.max_videos:
        return np.asarray(-expected)
    coming = paths.visited[:, position]
    known = np.where((coming != NOTHING)[:, np.newaxis, np.newaxis], believed[taste, coming], 0)
    return np.asarray(known - expected)
