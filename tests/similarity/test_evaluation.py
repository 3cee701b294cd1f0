"""Ranking metrics."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from example_points import Corpus
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from video_recommender.similarity import evaluation
from video_recommender.similarity.evaluation import (
    EvaluationSet,
    RankedLists,
    catalogue_coverage,
    intra_list_diversity,
    map_at_k,
    ndcg_at_k,
    precision_at_k,
    rate_lists,
)

# Two lists of four videos. First: hits at ranks 1 and 3, three relevant candidates. Second: a hit at rank 2, one.
TWO_LISTS = RankedLists(
    hits=np.array([[True, False, True, False], [False, True, False, False]]), relevant=np.array([3, 1])
)

RANKINGS = arrays.arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 6)))


def test_precision_is_the_share_of_hits() -> None:
    assert precision_at_k(TWO_LISTS) == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_ndcg_discounts_by_the_logarithm_of_the_rank() -> None:
    first = (1 / np.log2(2) + 1 / np.log2(4)) / (1 / np.log2(2) + 1 / np.log2(3) + 1 / np.log2(4))
    second = (1 / np.log2(3)) / (1 / np.log2(2))

    assert ndcg_at_k(TWO_LISTS) == pytest.approx((first + second) / 2)


def test_map_averages_the_precision_at_each_hit() -> None:
    assert map_at_k(TWO_LISTS) == pytest.approx(((1 / 1 + 2 / 3) / 3 + (1 / 2) / 1) / 2)


def test_map_divides_by_k_if_more_than_k_candidates_are_relevant() -> None:
    lists = RankedLists(hits=np.array([[True, False]]), relevant=np.array([50]))

    assert map_at_k(lists) == pytest.approx(1 / 2)


def test_a_query_without_relevant_candidates_is_excluded_from_the_means() -> None:
    lists = RankedLists(np.vstack([TWO_LISTS.hits, np.zeros((1, 4), bool)]), np.array([3, 1, 0]))

    for metric in (precision_at_k, ndcg_at_k, map_at_k):
        assert metric(lists) == metric(TWO_LISTS)


def test_metrics_are_nan_if_no_list_has_a_relevant_candidate() -> None:
    nothing = RankedLists(np.zeros((2, 10), bool), np.zeros(2, np.int64))

    assert np.isnan([precision_at_k(nothing), ndcg_at_k(nothing), map_at_k(nothing)]).all()
    assert np.isnan(intra_list_diversity(np.full((2, 10), -1), np.eye(2)))
    assert np.isnan(catalogue_coverage(np.full((2, 10), -1), 2))


def test_more_hits_than_relevant_candidates_raise_an_error() -> None:
    with pytest.raises(ValueError, match="more hits than relevant candidates"):
        RankedLists(np.array([[True, True]]), np.array([1]))


@given(hits=RANKINGS, missed=st.integers(0, 3))
def test_every_metric_is_between_0_and_1(hits: np.ndarray, missed: int) -> None:
    lists = RankedLists(hits, hits.sum(axis=1) + missed)
    values = np.array([precision_at_k(lists), ndcg_at_k(lists), map_at_k(lists)])

    known = values[~np.isnan(values)]
    assert ((known >= 0) & (known <= 1 + 1e-12)).all()


@given(k=st.integers(1, 12), relevant=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_a_perfect_ranking_scores_1(k: int, relevant: list[int]) -> None:
    perfect = RankedLists(np.arange(k) < np.array(relevant)[:, np.newaxis], np.array(relevant))

    assert ndcg_at_k(perfect) == pytest.approx(1)
    assert map_at_k(perfect) == pytest.approx(1)
    assert precision_at_k(perfect) == pytest.approx(np.minimum(np.array(relevant) / k, 1).mean())


@given(hits=arrays.arrays(bool, (1, 6)), rank=st.integers(0, 4))
def test_moving_a_hit_up_never_lowers_a_metric(hits: np.ndarray, rank: int) -> None:
    better = hits.copy()
    better[0, rank : rank + 2] = np.sort(better[0, rank : rank + 2])[::-1]
    relevant = hits.sum(axis=1) + 1

    for metric in (ndcg_at_k, map_at_k):
        assert metric(RankedLists(better, relevant)) >= metric(RankedLists(hits, relevant)) - 1e-12


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    points = np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    # Pairs of the first list: 1 - 0, 1 - (-1), 1 - 0. Of the second: 1 - 0, because the cosine with the origin is 0.
    positions = np.array([[0, 1, 2], [0, 3, -1], [1, -1, -1]])

    assert intra_list_diversity(positions, points) == pytest.approx((4 / 3 + 1) / 2)


def test_identical_videos_have_no_diversity() -> None:
    assert intra_list_diversity(np.array([[0, 1, 2]]), np.tile([0.6, 0.8], (3, 1))) == pytest.approx(0, abs=1e-12)


def test_coverage_counts_each_recommended_video_once() -> None:
    assert catalogue_coverage(np.array([[0, 1], [1, -1]]), videos=8) == 2 / 8


def test_relevant_candidates_have_the_category_of_the_query_and_another_group() -> None:
    random = np.random.default_rng(0)
    categories, groups = pd.Series(random.choice(["a", "b", "c"], 50), dtype="str"), random.integers(0, 12, 50)
    queries = np.sort(random.permutation(50)[:20])
    is_relevant = (categories.to_numpy()[queries, np.newaxis] == categories.to_numpy()) & (
        groups[queries, np.newaxis] != groups
    )
    positions = np.argsort(-(is_relevant + random.random((20, 50))), axis=1)[:, :4]

    lists = rate_lists(positions, queries, categories, groups)

    np.testing.assert_array_equal(lists.hits, np.take_along_axis(is_relevant, positions, axis=1))
    np.testing.assert_array_equal(lists.relevant, is_relevant.sum(axis=1))


@pytest.mark.parametrize(("videos", "queries"), [(5, 5), (100, 9)])
def test_all_videos_are_queries_up_to_the_sample_size(
    make_corpus: Callable[..., Corpus], monkeypatch: pytest.MonkeyPatch, videos: int, queries: int
) -> None:
    monkeypatch.setattr(evaluation, "EVALUATED_VIDEOS", 9)
    points, corpus = make_corpus({"pets": [videos]})

    drawn = EvaluationSet.draw(points.index, corpus, seed=0).queries

    assert len(set(drawn.tolist())) == queries
    assert set(drawn.tolist()) <= set(range(videos))
