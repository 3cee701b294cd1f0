"""Tables of the pipelines `advertising` and `off_policy`."""

from typing import ClassVar

import numpy as np
import pandera.pandas as pa
from pandera.typing import Index, Series

from .table_models import ROUNDING_LIMIT, Table, VideoRows


class Ads(Table):
    """Ads, one row per ad: a long and a short ad for each category."""

    ad_id: Series[str] = pa.Field(unique=True, description="name of the ad")
    category: Series[str] = pa.Field(description="category of videos that the ad matches")
    kind: Series[str] = pa.Field(isin=["long", "short"], description="`long` or `short`")
    seconds: Series[float] = pa.Field(gt=0, lt=float("inf"), description="duration in seconds, above 0")
    watch_probability: Series[float] = pa.Field(
        ge=0, le=1, description="probability that the ad is watched before a video of its category, 0 to 1"
    )
    reward: Series[float] = pa.Field(ge=0, lt=float("inf"), description="revenue if it is watched, in any currency")

    class Config:
        unique: ClassVar = ["category", "kind"]


class AdObservations(VideoRows):
    """Observations of the agent before the first ad of a session, one row per first video.

    A column per value of the observation, without unit: `feature_<n>` of the video, `position` (share of the maximum
    number of videos seen), and per ad `in_a_row_<ad_id>`, `shown_<ad_id>` and `watched_<ad_id>`, scaled to 0 to 1.
    """

    video_id: Index[str] = pa.Field(unique=True, check_name=True, description="first video of the session")


class AdRecommendations(Table):
    """Ads to show to a viewer who opens a video, one row per video."""

    video_id: Series[str] = pa.Field(unique=True, description="video that the viewer opens")
    ad_id: Series[str] = pa.Field(description="ad to show before the video")
    expected_reward: Series[float] = pa.Field(
        ge=0, description="mean revenue of the ad before this video, in the currency of `ads`"
    )


class AdLearningCurve(Table):
    """One row per evaluation of an agent during training."""

    agent: Series[str] = pa.Field(description="name of the agent")
    steps: Series[np.int64] = pa.Field(ge=0, description="number of ads shown so far")
    sessions: Series[np.int64] = pa.Field(ge=0, description="number of sessions completed so far")
    earned: Series[float] = pa.Field(description="cumulative revenue, including exploration, in the currency of `ads`")
    revenue_per_session: Series[float] = pa.Field(
        description="mean revenue per session without exploration, in the currency of `ads`"
    )
    standard_error: Series[float] = pa.Field(ge=0, description="standard error of `revenue_per_session`")
    regret: Series[float] = pa.Field(
        nullable=True, description="revenue of the optimum in all sessions so far minus `earned`; empty during training"
    )


class AdPolicyReport(Table):
    """One row per policy and choice of videos, with 95 % intervals over runs."""

    policy: Series[str] = pa.Field(description="name of the policy")
    videos: Series[str] = pa.Field(
        isin=["all", "unseen"], description="`unseen`: videos of groups that the agent was not trained on; else `all`"
    )
    runs: Series[int] = pa.Field(ge=2, description="number of simulation runs")
    sessions: Series[int] = pa.Field(ge=1, description="number of sessions per run")
    revenue_per_session: Series[float] = pa.Field(ge=0, description="mean revenue, in the currency of `ads`")
    revenue_low: Series[float] = pa.Field(description="lower end of the interval of `revenue_per_session`")
    revenue_high: Series[float] = pa.Field(description="upper end of the interval of `revenue_per_session`")
    share_of_optimum: Series[float] = pa.Field(nullable=True, ge=0, description="revenue divided by the optimum's")
    share_low: Series[float] = pa.Field(nullable=True, description="lower end of the interval of `share_of_optimum`")
    share_high: Series[float] = pa.Field(nullable=True, description="upper end of the interval of `share_of_optimum`")
    share_of_bound: Series[float] = pa.Field(
        nullable=True, ge=0, description="revenue divided by an upper bound on the revenue of any policy"
    )
    watch_rate: Series[float] = pa.Field(ge=0, le=1, description="share of ads shown that are watched, 0 to 1")
    videos_per_session: Series[float] = pa.Field(ge=1, description="mean number of videos per session")

    class Config:
        unique: ClassVar = ["policy", "videos"]


class AdChoices(Table):
    """One row per category and ad that is shown before its videos."""

    category: Series[str] = pa.Field(description="category of the videos")
    ad_id: Series[str] = pa.Field(description="ad shown before them")
    share: Series[float] = pa.Field(ge=0, le=1, description="share of the agent's ads before these videos, 0 to 1")
    optimal_share: Series[float] = pa.Field(ge=0, le=1, description="share of the optimum's ads, 0 to 1")
    watch_rate: Series[float] = pa.Field(
        nullable=True, ge=0, le=1, description="share of showings that are watched, 0 to 1; empty without showings"
    )
    revenue_per_showing: Series[float] = pa.Field(
        nullable=True, ge=0, description="mean revenue, in the currency of `ads`; empty without showings"
    )

    class Config:
        unique: ClassVar = ["category", "ad_id"]


class AdSessionLog(Table):
    """Log of a platform for off-policy evaluation, one row per ad shown."""

    session: Series[np.int64] = pa.Field(ge=1, description="number of the session, from 1")
    step: Series[np.int64] = pa.Field(ge=1, description="number of the ad within its session, from 1")
    video_id: Series[str] = pa.Field(description="video that follows the ad")
    ad_id: Series[str] = pa.Field(description="ad shown")
    propensity: Series[float] = pa.Field(
        gt=0, le=ROUNDING_LIMIT, description="probability of this ad under the logging policy, above 0, at most 1"
    )
    watched: Series[bool] = pa.Field(description="whether the ad was watched")
    reward: Series[float] = pa.Field(ge=0, description="revenue of the showing, in the currency of `ads`")

    class Config:
        unique: ClassVar = ["session", "step"]


class OffPolicyReport(Table):
    """One row per policy, estimator and assumption, with 95 % intervals; see `estimate_value`."""

    policy: Series[str] = pa.Field(description="name of the policy")
    estimator: Series[str] = pa.Field(isin=["ips", "snips", "doubly_robust"], description="name of the estimator")
    consequences: Series[str] = pa.Field(
        isin=["none", "session", "state"],
        description="assumed effect of an ad on later steps: none, any, or only what the agent observes",
    )
    value: Series[float] = pa.Field(
        nullable=True, description="estimated revenue per session, in the currency of `ads`; empty if not covered"
    )
    value_low: Series[float] = pa.Field(nullable=True, description="lower end of the interval of `value`")
    value_high: Series[float] = pa.Field(nullable=True, description="upper end of the interval of `value`")
    gain: Series[float] = pa.Field(nullable=True, description="`value` minus the logged revenue per session")
    gain_low: Series[float] = pa.Field(nullable=True, description="lower end of the interval of `gain`")
    gain_high: Series[float] = pa.Field(nullable=True, description="upper end of the interval of `gain`")
    sessions: Series[int] = pa.Field(ge=1, description="number of sessions in the log")
    effective_sessions: Series[float] = pa.Field(ge=0, description="effective sample size (Kish), in sessions")
    is_reliable: Series[bool] = pa.Field(
        description="whether the log covers the policy well enough for valid confidence intervals"
    )

    class Config:
        unique: ClassVar = ["policy", "estimator", "consequences"]
