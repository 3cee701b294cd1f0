"""Approximate neighbours, compared with those of an exact search."""

import pickle

import numpy as np
import pandas as pd
import pytest

from video_recommender.similarity.approximate_neighbours import find_neighbours_with, fit_index
from video_recommender.similarity.nearest_neighbours import cosine_scores, find_neighbours
from video_recommender.similarity.recommender import VideoRecommender

VIDEOS, AXES, KINDS = 2000, 32, 40


def points_of(videos: int = VIDEOS) -> pd.DataFrame:
    """Draw points in loose clusters."""
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


def test_an_index_finds_99_percent_of_the_neighbours_with_exact_similarities(indexed) -> None:
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


def test_the_index_is_reproducible_and_can_be_pickled(indexed) -> None:
    pickled = pickle.dumps(indexed)

    assert pickle.dumps(VideoRecommender(VIDEOS).fit(points_of())) == pickled
    pd.testing.assert_frame_equal(pickle.loads(pickled).recommend(POINTS), indexed.recommend(POINTS))


def test_no_video_is_recommended_to_itself_and_every_list_is_full(indexed) -> None:
    recommended = indexed.recommend(POINTS, k=25)

    assert (recommended["video_id"] != recommended["recommended_video_id"]).all()
    assert recommended["rank"].tolist() == list(range(1, 26)) * VIDEOS


def test_a_new_video_gets_the_neighbours_of_its_point(indexed) -> None:
    recommended = indexed.recommend(POINTS.iloc[[7]].set_axis(["new/video"]), k=3)

    assert recommended["recommended_video_id"].iloc[0] == POINTS.index[7]
    assert len(recommended) == 3


def test_videos_of_a_very_large_group_get_ten_neighbours_of_other_groups() -> None:
    groups = pd.Series("large", index=POINTS.index, dtype="str")
    groups.iloc[::150] = [f"single-{number}" for number in range(len(groups.iloc[::150]))]
    queries = POINTS.iloc[:300]

    recommended = VideoRecommender(VIDEOS).fit(POINTS, groups).recommend(queries, exclude_same_group=True)

    exact = VideoRecommender(None).fit(POINTS, groups).recommend(queries, exclude_same_group=True)
    assert len(recommended) == 10 * len(queries)
    assert (groups[recommended["video_id"]].to_numpy() != groups[recommended["recommended_video_id"]].to_numpy()).all()
    assert (recommended["recommended_video_id"] == exact["recommended_video_id"]).mean() > 0.95


def test_a_list_is_shorter_than_k_only_if_there_are_fewer_allowed_candidates() -> None:
    points = POINTS.to_numpy()
    index, _ = fit_index(points)
    labels = np.where(np.arange(VIDEOS) < 4, np.arange(VIDEOS) + 1, 0)
    queries = np.array([1500])

    found = find_neighbours_with(index, points, points[queries], labels[queries], labels, k=10)

    exact = find_neighbours(cosine_scores(points[queries], points), labels[queries], labels, k=10)
    np.testing.assert_array_equal(found.positions, exact.positions)
    np.testing.assert_array_equal(found.similarities, exact.similarities)


def test_videos_without_objects_get_neighbours() -> None:
    points = POINTS.copy()
    points.iloc[:30] = 0

    recommended = VideoRecommender(VIDEOS).fit(points).recommend(points.head(30))

    assert len(recommended) == 300
    assert (recommended["similarity"] == 0).all()


@pytest.mark.parametrize(("videos", "axes"), [(1, 32), (2, 1), (12, 3), (40, 2), (300, 1)])
def test_an_index_of_a_small_corpus_finds_the_exact_neighbours(videos: int, axes: int) -> None:
    points = POINTS.iloc[:videos, :axes]

    found, exact = (VideoRecommender(index_from).fit(points).recommend(points) for index_from in (1, None))

    pd.testing.assert_series_equal(found["video_id"], exact["video_id"])
    np.testing.assert_allclose(found["similarity"], exact["similarity"], atol=1e-3)


@pytest.mark.parametrize("k", [1, 10])
def test_single_queries_and_a_batch_give_the_same_neighbours(indexed, k: int) -> None:
    batch = indexed.recommend(POINTS.head(100), k)

    single = pd.concat([indexed.recommend(POINTS.iloc[[row]], k) for row in range(100)], ignore_index=True)

    assert (single["recommended_video_id"] == batch["recommended_video_id"]).mean() > 0.99
