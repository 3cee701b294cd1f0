"""Results for new videos, as console text and as JSON."""

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


def test_the_ad_has_a_watch_probability_and_an_expected_revenue() -> None:
    last = answer(AD).to_text().splitlines()[-1]

    assert last == ("ad: cats-long (long, 30 s), watch probability 27%, expected revenue 0.81")


def test_without_advertising_there_is_no_ad() -> None:
    assert not any(line.startswith("ad:") for line in answer(None).to_text().splitlines())
    assert answer(None).model_dump(mode="json")["ad"] is None


@pytest.mark.parametrize("ad", [AD, None])
def test_a_saved_answer_can_be_read(ad: AdChoice | None) -> None:
    assert VideoAnswer.model_validate(answer(ad).model_dump(mode="json")) == answer(ad)


def test_an_unusable_file_shows_only_its_error() -> None:
    text = VideoAnswer(video="a.mp4", status="unreadable", error="It is not a video").to_text()

    assert text == "a.mp4\nnot usable (unreadable): It is not a video"
