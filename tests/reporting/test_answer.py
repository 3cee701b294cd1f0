"""What is told of a new video, in words and as the catalog keeps it."""

from video_recommender.reporting.answer import AdForVideo, VideoAnswer

AD = AdForVideo(
    ad_id="cats-long", category="cats", kind="long", seconds=30, watch_probability=0.27, expected_reward=0.81
)


def answer(ad: AdForVideo | None) -> VideoAnswer:
    return VideoAnswer(video="new.mp4", objects=(), categories=(), neighbours=(), ad=ad)


def test_the_ad_is_told_with_how_often_it_is_watched_and_what_that_earns() -> None:
    last = answer(AD).in_words().splitlines()[-1]

    assert last == ("ad cats-long (long, 30 s): 27% of viewers of such a video watch it, which earns 0.81 on average")


def test_where_advertising_has_not_run_no_ad_is_told() -> None:
    assert not any(line.startswith("ad ") for line in answer(None).in_words().splitlines())
    assert answer(None).to_json()["ad"] is None


def test_an_answer_that_was_kept_before_there_were_ads_can_still_be_read() -> None:
    kept = answer(AD).to_json()
    del kept["ad"]

    assert VideoAnswer.model_validate(kept).ad is None
