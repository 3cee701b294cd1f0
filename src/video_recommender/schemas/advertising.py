"""Tables of the pipelines `advertising` and `off_policy`. Revenue has the currency of the rewards in `ads`."""

from typing import ClassVar

import numpy as np
import pandera.pandas as pa
from pandera.typing import Series

from .table_models import ROUNDING_LIMIT, Table, VideoRows


class Ads(Table):
    """One row per ad: a long and a short one per category."""

    ad_id: Series[str] = pa.Field(unique=True)
    category: Series[str]
    kind: Series[str] = pa.Field(isin=["long", "short"])
    seconds: Series[float] = pa.Field(gt=0, lt=float("inf"))
    watch_probability: Series[float] = pa.Field(ge=0, le=1)
    """Before a video of the ad's category."""
    reward: Series[float] = pa.Field(ge=0, lt=float("inf"))
    """Revenue if the ad is watched, in any currency; without being watched it earns nothing."""

    class Config:
        unique: ClassVar = ["category", "kind"]


class AdObservations(VideoRows):
    """One row per video: what the agent observes before the first ad of a session that starts there."""


class AdRecommendations(Table):
    """One row per video: the ad to show to a viewer who opens it."""

    video_id: Series[str] = pa.Field(unique=True)
    ad_id: Series[str]
    expected_reward: Series[float] = pa.Field(ge=0)
    """Mean revenue of the ad before this video."""


class AdLearningCurve(Table):
    """One row per evaluation of an agent during training."""

    agent: Series[str]
    steps: Series[np.int64] = pa.Field(ge=0)
    """Ads shown so far."""
    sessions: Series[np.int64] = pa.Field(ge=0)
    """Sessions completed so far."""
    earned: Series[float]
    """Revenue so far, with exploration."""
    revenue_per_session: Series[float]
    """Mean revenue per session of the greedy policy, in simulated sessions."""
    standard_error: Series[float] = pa.Field(ge=0)
    """Of `revenue_per_session`."""
    regret: Series[float] = pa.Field(nullable=True)
    """Revenue of the optimum in as many sessions minus `earned`; empty during training."""


class AdPolicyReport(Table):
    """One row per policy and choice of videos, with 95 % intervals over runs."""

    policy: Series[str]
    videos: Series[str] = pa.Field(isin=["all", "unseen"])
    """`unseen`: videos of groups that the agent was not trained on."""
    runs: Series[int] = pa.Field(ge=2)
    sessions: Series[int] = pa.Field(ge=1)
    """Per run."""
    revenue_per_session: Series[float] = pa.Field(ge=0)
    revenue_low: Series[float]
    revenue_high: Series[float]
    share_of_optimum: Series[float] = pa.Field(nullable=True, ge=0)
    """Revenue relative to `OptimalPolicy` in the same runs."""
    share_low: Series[float] = pa.Field(nullable=True)
    share_high: Series[float] = pa.Field(nullable=True)
    share_of_bound: Series[float] = pa.Field(nullable=True, ge=0)
    """Revenue relative to the upper bound of any policy; see `bracket_optimum`."""
    watch_rate: Series[float] = pa.Field(ge=0, le=1)
    videos_per_session: Series[float] = pa.Field(ge=1)

    class Config:
        unique: ClassVar = ["policy", "videos"]


class AdChoices(Table):
    """One row per category and ad that is shown before its videos."""

    category: Series[str]
    ad_id: Series[str]
    share: Series[float] = pa.Field(ge=0, le=1)
    """Share of the ads that the agent shows before videos of the category."""
    optimal_share: Series[float] = pa.Field(ge=0, le=1)
    """The same for the optimum."""
    watch_rate: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    """Empty if the agent never shows the ad."""
    revenue_per_showing: Series[float] = pa.Field(nullable=True, ge=0)

    class Config:
        unique: ClassVar = ["category", "ad_id"]


class AdSessionLog(Table):
    """One row per ad shown: what off-policy evaluation needs from a platform."""

    session: Series[np.int64] = pa.Field(ge=1)
    step: Series[np.int64] = pa.Field(ge=1)
    """Number of the ad within its session, from 1."""
    video_id: Series[str]
    """The video that followed the ad."""
    ad_id: Series[str]
    propensity: Series[float] = pa.Field(gt=0, le=ROUNDING_LIMIT)
    """Probability with which the logged policy showed this ad."""
    watched: Series[bool]
    reward: Series[float] = pa.Field(ge=0)

    class Config:
        unique: ClassVar = ["session", "step"]


class OffPolicyReport(Table):
    """One row per policy, estimator and assumption, with 95 % intervals; see `estimate_value`."""

    policy: Series[str]
    estimator: Series[str] = pa.Field(isin=["ips", "snips", "doubly_robust"])
    consequences: Series[str] = pa.Field(isin=["none", "session", "state"])
    """Assumed effect of an ad on the rest of its session."""
    value: Series[float] = pa.Field(nullable=True)
    """Estimated revenue per session; empty if the log has no ad that the policy would show."""
    value_low: Series[float] = pa.Field(nullable=True)
    value_high: Series[float] = pa.Field(nullable=True)
    gain: Series[float] = pa.Field(nullable=True)
    """Difference to the revenue of the logged policy."""
    gain_low: Series[float] = pa.Field(nullable=True)
    gain_high: Series[float] = pa.Field(nullable=True)
    sessions: Series[int] = pa.Field(ge=1)
    effective_sessions: Series[float] = pa.Field(ge=0)
    """Number of equally weighted sessions with the same precision."""
    is_reliable: Series[bool]
    """Whether the log covers the policy well enough for the intervals to be valid."""

    class Config:
        unique: ClassVar = ["policy", "estimator", "consequences"]
