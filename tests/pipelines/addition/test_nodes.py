"""Videos that are added are where a whole run would have put them."""

import logging
from dataclasses import replace

import pandas as pd
import pytest

from video_recommender.pipelines.addition.nodes import place_added_videos
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.similarity.recommender import RecommendationOptions

OPTIONS = RecommendationOptions(neighbours=5, index_from=None)
FEATURES = FeatureOptions()


@pytest.mark.parametrize("exclude_same_group", [False, True])
@pytest.mark.parametrize("evidence", ["probabilities", "detections"])
@pytest.mark.parametrize("known", [slice(0, 20), slice(3, None, 2), slice(0, 3), slice(0, 23)])
def test_the_lists_are_those_of_a_whole_run(videos, known, evidence, exclude_same_group) -> None:
    options = OPTIONS.model_copy(update={"exclude_same_group": exclude_same_group})
    features = FeatureOptions(evidence=evidence)

    after = videos.add_to(videos.whole_run(videos.names[known], options, features), options)

    whole = videos.whole_run(videos.names, options, features)
    pd.testing.assert_frame_equal(after.features, whole.features, check_exact=True)
    pd.testing.assert_frame_equal(after.points, whole.points, check_exact=True)
    pd.testing.assert_frame_equal(after.recommendations, whole.recommendations)


def test_the_recommender_then_answers_as_one_that_was_fitted_on_all(videos) -> None:
    after = videos.add_to(videos.whole_run(videos.names[:20], OPTIONS, FEATURES), OPTIONS)
    whole = videos.whole_run(videos.names, OPTIONS, FEATURES)

    new = whole.points.head(3).set_axis(["new/a", "new/b", "new/c"])
    pd.testing.assert_frame_equal(after.recommender.recommend(new), whole.recommender.recommend(new))


def test_the_category_of_new_videos_is_named_and_that_of_others_stays(videos) -> None:
    before = videos.whole_run(videos.names[:20], OPTIONS, FEATURES)

    after = videos.add_to(before, OPTIONS)
    predictions = after.predictions.set_index("video_id")

    assert predictions.index.tolist() == sorted(videos.names)
    new = predictions.loc[videos.names[20:]]
    assert new["predicted_category"].tolist() == before.classifier.predict(after.points.loc[new.index]).tolist()
    assert new["category"].tolist() == [name.split("/")[0] for name in new.index]
    assert new["fold"].isna().all()
    pd.testing.assert_frame_equal(predictions.loc[sorted(videos.names[:20])].reset_index(), before.predictions)


def test_nothing_changes_where_nothing_is_new(videos) -> None:
    before = videos.whole_run(videos.names, OPTIONS, FEATURES)

    after = videos.add_to(before, OPTIONS)

    pd.testing.assert_frame_equal(after.points, before.points)
    pd.testing.assert_frame_equal(after.recommendations, before.recommendations)
    pd.testing.assert_frame_equal(after.predictions, before.predictions)


def test_a_run_that_was_stopped_half_way_is_finished_by_the_next(videos) -> None:
    before = videos.whole_run(videos.names[:20], OPTIONS, FEATURES)
    finished = videos.add_to(before, OPTIONS)
    saved_until_then = replace(finished, predictions=before.predictions)

    again = videos.add_to(saved_until_then, OPTIONS)

    pd.testing.assert_frame_equal(again.points, finished.points)
    pd.testing.assert_frame_equal(again.recommendations, finished.recommendations)
    pd.testing.assert_frame_equal(again.predictions, finished.predictions)


def test_of_videos_that_are_done_nothing_is_read(videos) -> None:
    before = videos.whole_run(videos.names[:20], OPTIONS, FEATURES)
    unreadable = {**dict.fromkeys(videos.names[:20], "no table"), **dict(list(videos.probabilities.items())[20:])}

    _, added = place_added_videos(
        videos.partitions(unreadable),
        videos.partitions(unreadable),
        before.predictions,
        before.recommendations,
        before.space,
    )

    assert added.index.tolist() == sorted(videos.names[20:])


def test_videos_that_are_gone_are_told_of(videos, caplog) -> None:
    before = videos.whole_run(videos.names, OPTIONS, FEATURES)
    left = {name: videos.probabilities[name] for name in videos.names[2:]}

    with caplog.at_level(logging.WARNING):
        place_added_videos(
            videos.partitions(left), videos.partitions(left), before.predictions, before.recommendations, before.space
        )

    assert "2 video(s) are gone or failed, and still recommended" in caplog.text


def test_a_corpus_of_another_detector_is_refused(videos) -> None:
    segmented = videos.whole_run(videos.names, OPTIONS, FeatureOptions(detector="segmenter"))

    with pytest.raises(ValueError, match=r"features\.detector=segmenter: `kedro run` makes everything anew"):
        videos.add_to(segmented, OPTIONS)


def test_lists_that_are_too_short_are_refused_with_the_way_out(videos) -> None:
    before = videos.whole_run(videos.names[:20], OPTIONS, FEATURES)
    longer = OPTIONS.model_copy(update={"neighbours": 8})

    with pytest.raises(ValueError, match=r"name 5 videos each, and recommendation\.neighbours is 8: run `kedro run"):
        videos.add_to(before, longer)


def test_lists_may_be_shorter_than_before(videos) -> None:
    shorter = OPTIONS.model_copy(update={"neighbours": 3})

    after = videos.add_to(videos.whole_run(videos.names[:20], OPTIONS, FEATURES), shorter)

    whole = videos.whole_run(videos.names, shorter, FEATURES)
    pd.testing.assert_frame_equal(after.recommendations, whole.recommendations)
