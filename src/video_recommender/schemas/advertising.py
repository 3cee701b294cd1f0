"""Tables of the advertising stage and of off-policy evaluation."""

from typing import ClassVar

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import ROUNDING_LIMIT, Table, VideoRows


class Ads(Table):
    """One row per ad: how probably it is watched before a video of its category, and what it earns then."""

    ad_id: Series[str] = pa.Field(unique=True)
    category: Series[str]
    kind: Series[str] = pa.Field(isin=["long", "short"])
    seconds: Series[float] = pa.Field(gt=0, lt=float("inf"))
    watch_probability: Series[float] = pa.Field(ge=0, le=1)
    reward: Series[float] = pa.Field(ge=0, lt=float("inf"))
    """In a currency of your own; nothing is earned where it is not watched."""

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["category", "kind"]


class AdObservations(VideoRows):
    """One row per video, a column per number that an agent sees before the first ad of a session that begins there."""


class AdRecommendations(Table):
    """One row per video: the ad to show to a viewer who comes for it."""

    video_id: Series[str] = pa.Field(unique=True)
    ad_id: Series[str]
    expected_reward: Series[float] = pa.Field(ge=0)
    """What the ad earns on average before this video."""


class AdLearningCurve(Table):
    """One row per look at an agent while it learns: what it has earned so far, and what it would earn now."""

    agent: Series[str]
    steps: Series[np.int64] = pa.Field(ge=0)
    """How many ads it has shown."""
    sessions: Series[np.int64] = pa.Field(ge=0)
    """How many sessions came to their end meanwhile."""
    earned: Series[float]
    """In all these, while it also tried what did not seem best."""
    revenue_per_session: Series[float]
    """What it would earn from here on with what it knows: a mean over sessions, with its standard error."""
    standard_error: Series[float] = pa.Field(ge=0)
    regret: Series[float] = pa.Field(nullable=True)
    """How much less it has earned so far than the optimum earns in as many sessions; empty where that is not known."""


class AdPolicyReport(Table):
    """One row per policy and choice of videos: what it earns per session, with 95 % intervals over runs."""

    policy: Series[str]
    videos: Series[str] = pa.Field(isin=["all", "unseen"])
    """`unseen`: the sessions run over videos of which agents, for this row, have learnt nothing."""
    runs: Series[int] = pa.Field(ge=2)
    sessions: Series[int] = pa.Field(ge=1)
    """Per run."""
    revenue_per_session: Series[float] = pa.Field(ge=0)
    revenue_low: Series[float]
    revenue_high: Series[float]
    share_of_optimum: Series[float] = pa.Field(nullable=True, ge=0)
    """Of what is earned in the same runs by whoever knows the viewers; see `OptimalPolicy`."""
    share_low: Series[float] = pa.Field(nullable=True)
    share_high: Series[float] = pa.Field(nullable=True)
    share_of_bound: Series[float] = pa.Field(nullable=True, ge=0)
    """Of what nobody can exceed; see `bracket_optimum`."""
    watch_rate: Series[float] = pa.Field(ge=0, le=1)
    videos_per_session: Series[float] = pa.Field(ge=1)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["policy", "videos"]


class AdChoices(Table):
    """One row per category and ad that is shown before its videos: how often, and what comes of it."""

    category: Series[str]
    ad_id: Series[str]
    share: Series[float] = pa.Field(ge=0, le=1)
    """Of all ads that the agent shows before videos of the category."""
    optimal_share: Series[float] = pa.Field(ge=0, le=1)
    """The same for the optimum."""
    watch_rate: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    """Of the times that the agent shows it; empty where it never does."""
    revenue_per_showing: Series[float] = pa.Field(nullable=True, ge=0)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["category", "ad_id"]


class AdSessionLog(Table):
    """One row per ad that was shown: what a platform has to write down, so that other policies can be judged by it."""

    session: Series[np.int64] = pa.Field(ge=1)
    step: Series[np.int64] = pa.Field(ge=1)
    """The number of the ad within its session."""
    video_id: Series[str]
    """The video that followed."""
    ad_id: Series[str]
    propensity: Series[float] = pa.Field(gt=0, le=ROUNDING_LIMIT)
    """How probable it was that this ad would be shown."""
    watched: Series[bool]
    reward: Series[float] = pa.Field(ge=0)

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["session", "step"]


class OffPolicyReport(Table):
    """One row per policy, estimator and assumption: what the policy would earn per session, told from a log."""

    policy: Series[str]
    estimator: Series[str] = pa.Field(isin=["ips", "snips", "doubly_robust"])
    consequences: Series[str] = pa.Field(isin=["none", "session", "state"])
    """What an ad is assumed to do to the rest of its session."""
    value: Series[float] = pa.Field(nullable=True)
    """Empty where the policy would have shown nothing of what was logged."""
    value_low: Series[float] = pa.Field(nullable=True)
    value_high: Series[float] = pa.Field(nullable=True)
    gain: Series[float] = pa.Field(nullable=True)
    """How much more that is than what the logged policy earned."""
    gain_low: Series[float] = pa.Field(nullable=True)
    gain_high: Series[float] = pa.Field(nullable=True)
    sessions: Series[int] = pa.Field(ge=1)
    effective_sessions: Series[float] = pa.Field(ge=0)
    """How many sessions that weigh alike would tell as much."""
    is_reliable: Series[bool]
    """Whether these are enough for the intervals to hold."""

    class Config:
        strict = True
        coerce = True
        unique: ClassVar = ["policy", "estimator", "consequences"]
