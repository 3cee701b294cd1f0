"""Questions about a new video that cannot be answered, before any model is asked."""

import pytest
from pydantic import ValidationError

from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.media.video import VideoError
from video_recommender.pipelines.inference.nodes import sample_new_video
from video_recommender.reporting.answer import InferenceOptions


def test_without_a_video_the_command_to_type_is_named() -> None:
    with pytest.raises(ValueError, match=r"--params=inference\.video="):
        sample_new_video(InferenceOptions(), PreprocessingOptions())


def test_a_video_that_is_gone_is_named(tmp_path) -> None:
    with pytest.raises(VideoError, match=r"gone\.mp4 cannot be found"):
        sample_new_video(InferenceOptions(video=tmp_path / "gone.mp4"), PreprocessingOptions())


@pytest.mark.parametrize("options", [{"neighbours": 0}, {"shared_objects": -1}, {"vidoe": "a.mp4"}])
def test_options_that_make_no_sense_are_refused_by_name(options) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        InferenceOptions(**options)
