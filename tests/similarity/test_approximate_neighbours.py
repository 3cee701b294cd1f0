"""Neighbours that an index proposes, beside those of an exact search."""

import pickle

import numpy as np
import pandas as pd
import pytest

from video_recommender.similarity.approximate_neighbours import find_neighbours_with, fit_index
from video_recommender.similarity.nearest_neighbours import cosine_scores, find_neighbours
from video_recommender.similarity.recommender import VideoRecommender

VIDEOS, AXES, KINDS = 2000, 32, 40


def points_of(videos: int = VIDEOS) -> pd.DataFrame:
    """Loose clusters."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((KINDS, AXES))
    points = centres[np.arange(videos) % KINDS] + random.standard_normal((videos, AXES))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    names = pd.Index([f"v/{number:04}" for number in range(videos)], name="video_id", dtype="str")
    return pd.DataFrame(points.astype(np.float32), index=names)


POINTS = points_of()


@pytest.fixture(scope="module")
def indexed() -> VideoRecommender:
    return VideoRecommender(index_from=VIDEOS).fit(POINTS)


def test_an_index_finds_99_of_100_neighbours_and_their_exact_similarity(indexed) -> None:
    found = indexed.recommend(POINTS).set_index(["video_id", "recommended_video_id"])["similarity"]
    exact = VideoRecommender(None).fit(POINTS).recommend(POINTS).set_index(["video_id", "recommended_video_id"])

    shared = exact.index.intersection(found.index)
    assert len(shared) >= 0.99 * len(exact)
    assert indexed.recall_ >= 0.99
    pd.testing.assert_series_equal(found.loc[shared], exact.loc[shared, "similarity"], check_exact=True)


@pytest.mark.parametrize(("index_from", "has_index"), [(VIDEOS + 1, False), (VIDEOS, True), (None, False)])
def test_the_size_of_the_corpus_decides_whether_an_index_is_built(index_from: int | None, has_index: bool) -> None:
    recommender = VideoRecommender(index_from).fit(POINTS)

    assert (recommender.index_ is not None) == has_index


def test_the_same_points_give_the_same_index_and_a_stored_one_answers_as_before(indexed) -> None:
    stored = pickle.dumps(indexed)

    assert pickle.dumps(VideoRecommender(VIDEOS).fit(points_of())) == stored
    pd.testing.assert_frame_equal(pickle.loads(stored).recommend(POINTS), indexed.recommend(POINTS))


def test_no_video_is_recommended_to_itself_and_every_list_is_full(indexed) -> None:
    recommended = indexed.recommend(POINTS, k=25)

    assert (recommended["video_id"] != recommended["recommended_video_id"]).all()
    assert recommended["rank"].tolist() == list(range(1, 26)) * VIDEOS


def test_a_video_never_seen_gets_neighbours_of_its_point(indexed) -> None:
    recommended = indexed.recommend(POINTS.iloc[[7]].set_axis(["new/video"]), k=3)

    assert recommended["recommended_video_id"].iloc[0] == POINTS.index[7]
    assert len(recommended) == 3


def test_however_large_a_group_its_videos_get_ten_of_other_groups() -> None:
    groups = pd.Series("crowd", index=POINTS.index, dtype="str")
    groups.iloc[::150] = [f"alone-{number}" for number in range(len(groups.iloc[::150]))]
    asked = POINTS.iloc[:300]

    recommended = VideoRecommender(VIDEOS).fit(POINTS, groups).recommend(asked, exclude_same_group=True)

    exact = VideoRecommender(None).fit(POINTS, groups).recommend(asked, exclude_same_group=True)
    assert len(recommended) == 10 * len(asked)
    assert (groups[recommended["video_id"]].to_numpy() != groups[recommended["recommended_video_id"]].to_numpy()).all()
    assert (recommended["recommended_video_id"] == exact["recommended_video_id"]).mean() > 0.95


def test_fewer_are_found_only_where_there_are_fewer() -> None:
    points = POINTS.to_numpy()
    index, _ = fit_index(points)
    labels = np.where(np.arange(VIDEOS) < 4, np.arange(VIDEOS) + 1, 0)
    queries = np.array([1500])

    found = find_neighbours_with(index, points, points[queries], labels[queries], labels, k=10)

    exact = find_neighbours(cosine_scores(points[queries], points), labels[queries], labels, k=10)
    np.testing.assert_array_equal(found.positions, exact.positions)
    np.testing.assert_array_equal(found.similarities, exact.similarities)


def test_videos_without_any_object_get_neighbours_too() -> None:
    dark = POINTS.copy()
    dark.iloc[:30] = 0

    recommended = VideoRecommender(VIDEOS).fit(dark).recommend(dark.head(30))

    assert len(recommended) == 300
    assert (recommended["similarity"] == 0).all()


@pytest.mark.parametrize(("videos", "axes"), [(1, 32), (2, 1), (12, 3), (40, 2), (300, 1)])
def test_a_small_corpus_may_have_an_index_too(videos: int, axes: int) -> None:
    points = POINTS.iloc[:videos, :axes]

    found, exact = (VideoRecommender(index_from).fit(points).recommend(points) for index_from in (1, None))

    pd.testing.assert_series_equal(found["video_id"], exact["video_id"])
    np.testing.assert_allclose(found["similarity"], exact["similarity"], atol=1e-3)


@pytest.mark.parametrize("k", [1, 10])
def test_a_query_alone_is_answered_as_among_others(indexed, k: int) -> None:
    together = indexed.recommend(POINTS.head(100), k)

    alone = pd.concat([indexed.recommend(POINTS.iloc[[row]], k) for row in range(100)], ignore_index=True)

    assert (alone["recommended_video_id"] == together["recommended_video_id"]).mean() > 0.99
