"""Viewers of a generated corpus with the assignment's ads, in every scenario."""

import pytest

from video_recommender.advertising.environment import SCENARIOS, example_viewers
from video_recommender.advertising.viewers import ViewerModel, ViewerOptions

EVERY_SCENARIO = {
    **SCENARIOS,
    "tastes and annoyance": ViewerOptions(tastes=True, annoyance_long=0.2, annoyance_repeat=0.3),
}


@pytest.fixture(scope="session")
def viewers() -> ViewerModel:
    """Return viewers of 90 videos: 30 each of car races, cats and concerts."""
    return example_viewers()


@pytest.fixture(params=EVERY_SCENARIO.values(), ids=EVERY_SCENARIO.keys())
def any_viewers(request) -> ViewerModel:
    """Return the same viewers in each scenario."""
    return example_viewers(options=request.param)
