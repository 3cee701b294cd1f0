"""Evaluate ad policies from a log of sessions: the user's log or a simulated one."""

from typing import Annotated

import numpy as np
from pandera.typing import DataFrame
from pydantic import BaseModel, Field, PositiveInt

from video_recommender.advertising.evaluation import AGENT
from video_recommender.advertising.off_policy import evaluate_from_log
from video_recommender.advertising.policies import AdPolicy, EpsilonMixedPolicy, KindPolicy, QNetworkPolicy
from video_recommender.advertising.simulation import log_sessions
from video_recommender.advertising.viewers import ViewerModel
from video_recommender.schemas import AdSessionLog, OffPolicyReport


class OffPolicyOptions(BaseModel, extra="forbid", frozen=True):
    """Options of the simulated log (parameters_off_policy.yml)."""

    sessions: PositiveInt = 20_000
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.3


def prepare_session_log(
    own_ad_session_log: DataFrame[AdSessionLog] | None,
    viewer_model: ViewerModel | None,
    options: OffPolicyOptions,
    seed: int,
) -> DataFrame[AdSessionLog]:
    """Return the user's log, or simulate the log of a policy that shows short ads, and random ads with `epsilon`.

    Raises:
        ValueError: if the advertising stage has not run.
        pandera.errors.SchemaError: if the user's log has missing columns or invalid values.
    """
    if viewer_model is None:
        raise ValueError("The dataset `viewer_model` does not exist: run `kedro run --pipelines=advertising` first")
    if own_ad_session_log is not None:
        return AdSessionLog.validate(own_ad_session_log)
    logged_policy = EpsilonMixedPolicy(KindPolicy("short"), options.epsilon)
    return log_sessions(viewer_model, logged_policy, options.sessions, np.random.default_rng(seed))


def evaluate_logged_ads(
    ad_session_log: DataFrame[AdSessionLog], viewer_model: ViewerModel, ad_policy: QNetworkPolicy
) -> DataFrame[OffPolicyReport]:
    """Estimate the revenue of the agent and of two fixed policies from the log; see `evaluate_from_log`."""
    policies: dict[str, AdPolicy] = {
        AGENT: ad_policy,
        "always_long": KindPolicy("long"),
        "always_short": KindPolicy("short"),
    }
    return evaluate_from_log(ad_session_log, viewer_model, policies)
