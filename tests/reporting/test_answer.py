"""Answers for new videos, for the console and as JSON."""

import pytest

from video_recommender.advertising.policies import AdChoice
from video_recommender.reporting.answer import VideoAnswer

AD = AdChoice(
    ad_id="cats-long",
    category="cats",
    kind="long",
    seconds=30,
    watch_probability=0.27,
    reward=3,
    expected_reward=0.81,
    session_value=2.5,
)


def answer(ad: AdChoice | None) -> VideoAnswer:
    return VideoAnswer(video="new.mp4", ad=ad)


def test_the_ad_comes_with_how_often_it_is_watched_and_what_it_earns() -> None:
    last = answer(AD).in_words().splitlines()[-1]

    assert last == ("ad cats-long (long, 30 s): 27% of viewers of such a video watch it, which earns 0.81 on average")


def test_without_advertising_there_is_no_ad() -> None:
    assert not any(line.startswith("ad ") for line in answer(None).in_words().splitlines())
    assert answer(None).model_dump(mode="json")["ad"] is None


@pytest.mark.parametrize("ad", [AD, None])
def test_a_saved_answer_can_be_read(ad: AdChoice | None) -> None:
    assert VideoAnswer.model_validate(answer(ad).model_dump(mode="json")) == answer(ad)


def test_a_file_that_is_not_usable_has_its_error_and_nothing_else() -> None:
    words = VideoAnswer(video="a.mp4", status="unreadable", error="It is not a video").in_words()

    assert words == "a.mp4\nnot usable (unreadable): It is not a video"
