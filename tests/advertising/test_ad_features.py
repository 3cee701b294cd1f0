"""The features of a video that agents observe."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising import viewers
from video_recommender.advertising.viewers import (
    VideoProjection,
    categories_of_videos,
    category_probabilities,
    combine_features,
)

VIDEOS = ["cats/1", "cats/2", "dogs/1", "none/1", "cats/copy"]


def points(videos: list[str] = VIDEOS, axes: int = 6) -> pd.DataFrame:
    vectors = np.random.default_rng(0).normal(size=(len(videos), axes)).astype(np.float32)
    columns = [f"axis_{number}" for number in range(axes)]
    return pd.DataFrame(vectors, pd.Index(videos, name="video_id"), columns)


def test_a_missing_category_is_replaced_by_the_predicted_one_and_near_duplicates_are_excluded() -> None:
    own = ["cats", "cats", "dogs", None, "cats"]
    corpus = pd.DataFrame({"video_id": VIDEOS, "category": own, "is_used": [True] * 4 + [False]})
    predictions = pd.DataFrame({"video_id": VIDEOS, "predicted_category": ["dogs", "cats", "dogs", "dogs", "cats"]})

    categories = categories_of_videos(corpus, predictions)

    assert categories.to_dict() == {"cats/1": "cats", "cats/2": "cats", "dogs/1": "dogs", "none/1": "dogs"}


def test_an_agent_observes_the_out_of_fold_prediction_of_the_category() -> None:
    rows = [("b/1", "dogs", 0.7), ("a/1", "cats", 1.0), ("c/1", "unknown", 0.4)]
    predicted = pd.DataFrame(rows, columns=["video_id", "predicted_category", "probability"])

    probabilities = category_probabilities(predicted, ["a/1", "b/1", "c/1"], ["birds", "cats", "dogs"])

    assert probabilities[:2] == pytest.approx(np.array([[0, 1, 0], [0.15, 0.15, 0.7]]))
    assert len(set(probabilities[2])) == 1


def test_the_projection_weighs_less_than_the_category_probabilities() -> None:
    features = combine_features(np.array([[0.2, 0.8]]), np.array([[1.0, -1.0]], np.float32))

    assert features.dtype == np.float32
    assert features[0] == pytest.approx([0.2, 0.8, 0.1, -0.1])


def test_the_projection_keeps_the_directions_of_largest_variation_for_new_videos_too(monkeypatch) -> None:
    monkeypatch.setattr(viewers, "OBSERVED_AXES", 3)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 20))
    table = pd.DataFrame(vectors, pd.Index([f"v/{number}" for number in range(50)], name="video_id"))

    projection = VideoProjection.fit(table, seed=0)
    projected = projection.project(table)

    assert projected.dtype == np.float32
    assert projected.shape == (50, 3)
    assert projected @ projected.T == pytest.approx(vectors @ vectors.T, rel=1e-3, abs=1e-3)
    assert projection.project(table.tail(1)) == pytest.approx(projected[-1:])


@pytest.mark.parametrize("videos", [1, 3])
def test_a_corpus_with_fewer_videos_than_axes_gets_one_direction_per_video(videos) -> None:
    few = points(VIDEOS[:videos])

    assert VideoProjection.fit(few, seed=0).project(few).shape == (videos, videos)


def test_points_of_another_object_space_are_rejected_with_a_remedy() -> None:
    projection = VideoProjection.fit(points(), seed=0)
    others = points(axes=5)

    assert not projection.fits(others)
    with pytest.raises(ValueError, match="run feature_engineering, recommendation and advertising again"):
        projection.project(others)
