"""Exact nearest neighbours of videos."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from video_recommender.similarity import nearest_neighbours as module
from video_recommender.similarity.recommender import VideoRecommender


def points_of(vectors: object) -> pd.DataFrame:
    table = pd.DataFrame(np.asarray(vectors, np.float32))
    return table.set_axis(pd.Index([f"v/{number:03}" for number in range(len(table))], name="video_id"))


FAN = points_of([[np.cos(angle), np.sin(angle)] for angle in np.linspace(0, 1.5, 20) ** 2])


def test_neighbours_equal_those_of_a_full_similarity_matrix() -> None:
    points = points_of(np.random.default_rng(0).standard_normal((60, 7)))
    unit = points.to_numpy(float) / np.linalg.norm(points.to_numpy(float), axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)

    recommended = VideoRecommender().fit(points).recommend(points, k=5)

    expected = points.index.to_numpy()[np.argsort(-cosines, axis=1)[:, :5]]
    assert recommended["recommended_video_id"].to_numpy().reshape(60, 5).tolist() == expected.tolist()
    np.testing.assert_allclose(
        recommended["similarity"].to_numpy().reshape(60, 5), -np.sort(-cosines)[:, :5], atol=1e-8
    )


def test_ranks_are_one_to_ten_in_descending_order_of_similarity() -> None:
    recommended = VideoRecommender().fit(FAN).recommend(FAN)

    assert recommended["rank"].tolist() == list(range(1, 11)) * len(FAN)
    assert (recommended.groupby("video_id")["similarity"].diff().dropna() <= 0).all()


def test_no_video_is_recommended_to_itself() -> None:
    twins = points_of([[1, 0]] * 5)

    recommended = VideoRecommender().fit(twins).recommend(twins)

    assert len(recommended) == 5 * 4
    assert (recommended["video_id"] != recommended["recommended_video_id"]).all()


def test_a_new_video_gets_the_neighbours_of_its_point() -> None:
    new = FAN.iloc[[7]].set_axis(["new/video"])

    recommended = VideoRecommender().fit(FAN).recommend(new, k=3, exclude_same_group=True)

    assert recommended["recommended_video_id"].iloc[0] == FAN.index[7]
    assert recommended["similarity"].iloc[0] == pytest.approx(1.0)
    assert len(recommended) == 3


def test_ties_go_to_the_alphabetically_first_id_in_any_order_of_rows() -> None:
    twins = points_of([[3, 4, 0]] * 30 + [[0, 0, 1]])

    recommended = VideoRecommender().fit(twins.sample(frac=1, random_state=0)).recommend(twins.tail(1), k=4)

    assert recommended["recommended_video_id"].tolist() == ["v/000", "v/001", "v/002", "v/003"]


@given(
    vectors=arrays.arrays(np.float32, (23, 4), elements=st.sampled_from([-1.0, 0.0, 0.1, 0.3, 1.0])),
    queries=st.integers(1, 9),
    candidates=st.integers(1, 9),
)
def test_the_block_size_does_not_change_the_neighbours(vectors: np.ndarray, queries: int, candidates: int) -> None:
    points = points_of(vectors)
    recommender = VideoRecommender().fit(points, pd.Series("abcdefghijklmnopqrstuvw"[:23], dtype="str"))
    in_one_block = recommender.recommend(points, k=6)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUERIES_PER_BLOCK", queries)
        patch.setattr(module, "CANDIDATES_PER_BLOCK", candidates)
        in_small_blocks = recommender.recommend(points, k=6)

    pd.testing.assert_frame_equal(in_one_block, in_small_blocks)


def test_a_point_at_the_origin_has_neighbours_of_similarity_zero() -> None:
    points = points_of([[0, 0], [0, 1], [1, 0]])

    recommended = VideoRecommender().fit(points).recommend(points.head(1))

    assert recommended["recommended_video_id"].tolist() == ["v/001", "v/002"]
    assert recommended["similarity"].tolist() == [0.0, 0.0]


def test_exclude_same_group_excludes_videos_of_the_same_group() -> None:
    groups = pd.Series([f"photo-{number // 4}" for number in range(20)], index=FAN.index)
    recommender = VideoRecommender().fit(FAN, groups)

    recommended = recommender.recommend(FAN, exclude_same_group=True)

    of_query, of_neighbour = groups[recommended["video_id"]], groups[recommended["recommended_video_id"]]
    assert len(recommended) == 20 * 10
    assert (of_query.to_numpy() != of_neighbour.to_numpy()).all()
    assert (
        groups[recommender.recommend(FAN, k=1)["recommended_video_id"]].to_numpy() == groups.to_numpy()
    ).mean() > 0.5


def test_videos_without_a_group_do_not_exclude_each_other() -> None:
    groups = pd.Series([None] * 4, index=FAN.index[:4], dtype="str")

    recommended = VideoRecommender().fit(FAN.head(5), groups).recommend(FAN.head(5), exclude_same_group=True)

    assert len(recommended) == 5 * 4


@pytest.mark.parametrize(("videos", "rows"), [(1, 0), (2, 2), (5, 20)])
def test_a_small_corpus_gives_fewer_recommendations(videos: int, rows: int) -> None:
    few = FAN.head(videos)

    assert len(VideoRecommender().fit(few).recommend(few)) == rows


def test_the_same_points_give_the_same_bytes() -> None:
    first, second = (VideoRecommender().fit(FAN.copy()) for _ in range(2))

    assert pickle.dumps(first) == pickle.dumps(second)
    assert pickle.dumps(first.recommend(FAN)) == pickle.dumps(second.recommend(FAN))


def test_a_pickled_recommender_gives_the_same_recommendations() -> None:
    recommender = VideoRecommender().fit(FAN)

    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(recommender)).recommend(FAN), recommender.recommend(FAN))


def test_points_with_different_axes_raise_an_error() -> None:
    with pytest.raises(ValueError, match="axes of the points differ"):
        VideoRecommender().fit(FAN).recommend(FAN.assign(third=0.0))


def test_the_error_for_a_point_that_is_not_finite_names_the_video() -> None:
    with pytest.raises(ValueError, match="v/001 is not finite"):
        VideoRecommender().fit(points_of([[0, 1], [np.nan, 1]]))


def test_the_error_for_a_video_with_two_points_names_it() -> None:
    with pytest.raises(ValueError, match="v/000 has two points"):
        VideoRecommender().fit(pd.concat([FAN, FAN.head(1)]))


def test_k_must_be_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        VideoRecommender().fit(FAN).recommend(FAN, k=0)
