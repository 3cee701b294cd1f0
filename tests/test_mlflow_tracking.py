"""What the catalog may say of tracking."""

import pytest
from pydantic import ValidationError

from video_recommender.mlflow_tracking import MlflowOptions, Tracking


@pytest.mark.parametrize("metadata", [{"as": "poem"}, {"as": "model", "input_exmaple": "video_points"}, {}])
def test_tracking_that_is_not_known_is_refused(metadata) -> None:
    with pytest.raises(ValidationError):
        Tracking.model_validate(metadata)


def test_where_runs_are_recorded_must_be_said() -> None:
    with pytest.raises(ValidationError, match="tracking_uri"):
        MlflowOptions.model_validate({"experiment": "videos"})
