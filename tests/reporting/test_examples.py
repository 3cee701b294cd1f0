"""Selection of the best and the worst results."""

import pandas as pd

from video_recommender.reporting.examples import Extremes, extreme_categories, extreme_recommendations


def test_the_most_confident_held_out_prediction_of_each_group_is_selected(
    category_predictions: pd.DataFrame, corpus: pd.DataFrame
) -> None:
    extremes = extreme_categories(category_predictions, corpus, count=5)

    assert [video.video_id for video in extremes.best] == ["cats/a", "dogs/a"]
    assert [video.video_id for video in extremes.worst] == ["dogs/b", "cats/c"]
    assert [video.is_correct for video in (*extremes.best, *extremes.worst)] == [True, True, False, False]


def test_lists_with_most_and_fewest_of_the_same_category_are_selected(
    recommendations: pd.DataFrame, corpus: pd.DataFrame
) -> None:
    extremes = extreme_recommendations(recommendations, corpus, count=2)

    assert [(shown.video_id, shown.correct) for shown in extremes.best] == [("cats/a", 2), ("dogs/a", 2)]
    assert [(shown.video_id, shown.correct) for shown in extremes.worst] == [("dogs/b", 0), ("cats/b", 1)]
    assert [near.video_id for near in extremes.worst[0].neighbours] == ["cats/a", "cats/b"]


def test_without_categories_no_list_is_selected(recommendations: pd.DataFrame, corpus: pd.DataFrame) -> None:
    unlabelled = corpus.assign(category=None)

    assert extreme_recommendations(recommendations, unlabelled, count=2) == Extremes((), ())


def test_a_perfect_list_is_never_among_the_worst(recommendations: pd.DataFrame, corpus: pd.DataFrame) -> None:
    perfect = recommendations[recommendations["video_id"].isin(["cats/a", "dogs/a"])]

    assert extreme_recommendations(perfect, corpus, count=1).worst == ()
