"""Made-up viewers: of the assignment's example, and of three scenarios."""

import pytest

from video_recommender.pipelines.advertising.example_viewers import example_viewers
from video_recommender.pipelines.advertising.viewer_model import ViewerModel, ViewerOptions

SCENARIOS = {
    "assignment": ViewerOptions(),
    "annoyance": ViewerOptions(annoyance_long=0.2, annoyance_repeat=0.3),
    "tastes": ViewerOptions(tastes=True),
    "tastes and annoyance": ViewerOptions(tastes=True, annoyance_long=0.2, annoyance_repeat=0.3),
}


@pytest.fixture(scope="session")
def viewers() -> ViewerModel:
    """Viewers of 90 videos, 30 each of cats, car races and concerts, as in the assignment's example."""
    return example_viewers()


@pytest.fixture(params=SCENARIOS.values(), ids=SCENARIOS.keys())
def any_viewers(request) -> ViewerModel:
    """The same in every scenario."""
    return example_viewers(options=request.param)
