"""Let a policy show ads to viewers, many sessions side by side."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from video_recommender.advertising.policies import AdPolicy, draw_ads
from video_recommender.advertising.sessions import Sessions, ShownAds
from video_recommender.advertising.viewer_model import FloatArray, IntArray, ViewerModel


@dataclass(frozen=True, eq=False)
class ShownTogether:
    """One ad in every session that still goes on: the n-th ad of each.

    Attributes:
        session: the number of each session, int64, shape (sessions,), ascending.
        before: where the viewers were.
        probabilities: how probably the policy showed each ad, float64, shape (sessions, ads).
        ads: the ad that was shown, int64, shape (sessions,).
        shown: what came of it.
    """

    session: IntArray
    before: Sessions
    probabilities: FloatArray
    ads: IntArray
    shown: ShownAds


@dataclass(frozen=True, eq=False)
class SessionOutcomes:
    """What sessions came to.

    Attributes:
        revenue: what each session earned, float64, shape (sessions,).
        videos: how many videos each had, and so how many ads were shown, int64, shape (sessions,).
        watched: how many ads were watched, int64, shape (sessions,).
        shown_by_category: how often each ad was shown before a video of each category, int64, shape (categories, ads).
        watched_by_category: how often it was watched then, int64, shape (categories, ads).
    """

    revenue: FloatArray
    videos: IntArray
    watched: IntArray
    shown_by_category: IntArray
    watched_by_category: IntArray


def simulate(model: ViewerModel, policy: AdPolicy, sessions: int, rng: np.random.Generator) -> SessionOutcomes:
    """Simulate whole sessions and add up what they earn.

    Args:
        model: the viewers.
        policy: chooses the ads.
        sessions: how many.
        rng: draws everything; the same state gives the same sessions.

    Returns:
        What they came to.
    """
    revenue = np.zeros(sessions)
    videos, watched = np.zeros(sessions, np.int64), np.zeros(sessions, np.int64)
    by_category = np.zeros((2, len(model.category_names), len(model.ads)), np.int64)
    for step in trace_sessions(model, policy, sessions, rng):
        revenue[step.session] += step.shown.reward
        videos[step.session] += 1
        watched[step.session] += step.shown.watched
        category = model.video_category[step.before.video]
        np.add.at(by_category[0], (category, step.ads), 1)
        np.add.at(by_category[1], (category, step.ads), step.shown.watched)
    return SessionOutcomes(revenue, videos, watched, by_category[0], by_category[1])


def trace_sessions(
    model: ViewerModel, policy: AdPolicy, sessions: int, rng: np.random.Generator
) -> Iterator[ShownTogether]:
    """Simulate whole sessions and tell of every ad.

    Args:
        model: the viewers.
        policy: chooses the ads.
        sessions: how many.
        rng: draws everything; the same state gives the same sessions.

    Yields:
        The first ad of every session, then the second of those that go on, and so forth.
    """
    running = model.start_sessions(sessions, rng)
    numbers = np.arange(sessions)
    while len(running):
        probabilities = policy.action_probabilities(model, running)
        ads = draw_ads(probabilities, rng)
        shown = model.show_ads(running, ads, rng)
        yield ShownTogether(numbers, running, probabilities, ads, shown)
        goes_on = ~shown.is_over
        running, numbers = shown.sessions.take(goes_on), numbers[goes_on]
