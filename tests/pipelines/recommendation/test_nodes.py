"""Nodes of the recommendation stage."""

import json
import logging
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.plotly import JSONDataset

from video_recommender.pipelines.recommendation import create_pipeline
from video_recommender.pipelines.recommendation.nodes import (
    compare_importances,
    compare_recommenders,
    draw_recommendation_comparison,
    fit_recommender,
    recommend_videos,
    summarise_recommendations,
)
from video_recommender.similarity import evaluation
from video_recommender.similarity.recommender import RecommendationOptions

OPTIONS = RecommendationOptions()
SEED = 3
METRICS = ["precision", "ndcg", "map", "intra_list_diversity", "catalogue_coverage"]


def recommendations_of(corpus, options: RecommendationOptions = OPTIONS) -> pd.DataFrame:
    recommender = fit_recommender(corpus.points, corpus.manifest)
    return recommend_videos(recommender, corpus.points, corpus.features, corpus.space, options)


def report_of(corpus, options: RecommendationOptions = OPTIONS, **changes: pd.DataFrame) -> pd.DataFrame:
    """Evaluate the corpus after replacing tables, such as `points`."""
    changed = replace(corpus, **changes)
    return compare_recommenders(
        changed.points,
        corpus.object_scores,
        changed.detections,
        changed.class_embeddings,
        changed.stored_embeddings,
        changed.manifest,
        options,
        SEED,
    )


def row_of(report: pd.DataFrame, system: str, candidates: str) -> pd.Series:
    return report.set_index(["system", "candidates"]).loc[(system, candidates)]


def with_categories(corpus, categories) -> pd.DataFrame:
    return corpus.manifest.assign(category=pd.Series(categories, index=corpus.manifest.index, dtype="str"))


def test_the_nearest_video_shows_the_same_object(corpus) -> None:
    nearest = recommendations_of(corpus).query("rank == 1")

    same_object = nearest["video_id"].str.split("-").str[0] == nearest["recommended_video_id"].str.split("-").str[0]
    assert same_object.mean() > 0.9


def test_each_recommendation_lists_the_shared_objects(corpus) -> None:
    recommended = recommendations_of(corpus)

    beagles = recommended[
        recommended["video_id"].str.contains("beagle") & recommended["recommended_video_id"].str.contains("beagle")
    ]
    assert len(beagles) > 0
    assert beagles["shared_objects"].str.contains("beagle").all()
    assert recommended["shared_objects"].str.count(",").max() <= 2


def test_every_video_gets_ten_other_videos_in_order_of_rank(corpus) -> None:
    recommended = recommendations_of(corpus)

    assert recommended["video_id"].tolist() == sorted(np.repeat(corpus.points.index, 10))
    assert recommended["rank"].tolist() == list(range(1, 11)) * 36
    assert (recommended["video_id"] != recommended["recommended_video_id"]).all()


def test_unlabelled_videos_get_recommendations(corpus) -> None:
    unlabelled = with_categories(corpus, None)
    recommender = fit_recommender(corpus.points, unlabelled)

    recommended = recommend_videos(recommender, corpus.points, corpus.features, corpus.space, OPTIONS)

    assert recommended["video_id"].nunique() == 36


def test_exclude_same_group_excludes_videos_of_the_same_group(corpus) -> None:
    group = corpus.manifest.set_index("video_id")["group"]

    recommended = recommendations_of(corpus, RecommendationOptions(exclude_same_group=True))

    assert (group[recommended["video_id"]].array != group[recommended["recommended_video_id"]].array).all()


def test_a_single_video_gives_an_empty_table_and_a_warning(corpus, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        recommended = recommendations_of(corpus.of(1))

    assert recommended.empty
    assert "add more videos" in caplog.text


@pytest.mark.parametrize(("videos", "rows"), [(2, 2), (5, 20)])
def test_a_small_corpus_has_recommendations_and_a_report(corpus, videos: int, rows: int) -> None:
    few = corpus.of(videos)

    assert len(recommendations_of(few)) == rows
    assert len(report_of(few)) == 12


def test_two_runs_give_the_same_bytes(corpus) -> None:
    for make in (recommendations_of, report_of):
        assert pickle.dumps(make(corpus)) == pickle.dumps(make(corpus))


def test_object_space_is_better_than_raw_counts(corpus) -> None:
    report = report_of(corpus)

    space, counts = (row_of(report, system, "other_groups") for system in ("object_space", "raw_counts"))
    assert space["precision"] > counts["precision"] + 0.1
    assert space["ndcg"] > counts["ndcg"]
    assert space["map"] > counts["map"]


def test_the_precision_of_random_recommendations_is_the_frequency_of_the_category(corpus) -> None:
    report = report_of(corpus)

    assert row_of(report, "random", "all")["precision"] == pytest.approx(11 / 35, abs=0.06)
    assert row_of(report, "random", "other_groups")["precision"] == pytest.approx(10 / 34, abs=0.06)
    assert row_of(report, "random", "all")["catalogue_coverage"] == 1


def test_perfect_neighbours_score_1(corpus) -> None:
    kinds = pd.get_dummies(corpus.manifest.set_index("video_id")["category"]).astype("float32")

    report = report_of(corpus, points=kinds)

    for candidates in ("all", "other_groups"):
        assert row_of(report, "object_space", candidates)[["precision", "ndcg", "map"]].tolist() == pytest.approx(
            [1, 1, 1]
        )
        assert row_of(report, "object_space", candidates)["intra_list_diversity"] == pytest.approx(0, abs=1e-9)


def test_recommending_videos_of_the_same_photo_scores_well_only_with_the_same_group(corpus) -> None:
    photos = pd.get_dummies(corpus.manifest.set_index("video_id")["group"]).astype("float32")

    report = report_of(corpus, RecommendationOptions(neighbours=1), points=photos)

    assert row_of(report, "object_space", "all")["precision"] == 1
    assert row_of(report, "object_space", "other_groups")["precision"] < 0.6


def test_relevant_candidates_of_the_same_group_do_not_count_for_other_groups(corpus) -> None:
    manifest = corpus.manifest.assign(group=corpus.manifest["category"])

    report = report_of(corpus, manifest=manifest)

    assert row_of(report, "object_space", "all")["videos"] == 36
    assert row_of(report, "object_space", "other_groups")["videos"] == 0
    assert "precision_at_10_other_groups" not in summarise_recommendations(report)


def test_unlabelled_videos_do_not_affect_the_metrics(corpus) -> None:
    some = corpus.manifest["category"].where(corpus.manifest.index % 3 != 0)
    manifest = with_categories(corpus, some)
    labelled = manifest.dropna(subset="category")

    with_unlabelled = report_of(corpus, manifest=manifest)
    without = report_of(corpus, manifest=labelled, points=corpus.points.loc[labelled["video_id"]])

    pd.testing.assert_frame_equal(with_unlabelled, without)
    assert with_unlabelled["videos"].max() == 24


@pytest.mark.parametrize("categories", [None, "pets", [f"kind-{number}" for number in range(36)]])
def test_a_corpus_with_no_or_one_or_unique_categories_is_evaluated(corpus, categories, caplog) -> None:
    manifest = with_categories(corpus, categories)

    report = report_of(corpus, manifest=manifest)
    metrics = summarise_recommendations(report)

    if categories == "pets":
        assert metrics["random_precision_at_10"] == 1
    else:
        assert "precision_at_10" not in metrics
        assert "cannot be evaluated" in caplog.text


def test_videos_without_objects_are_evaluated(corpus) -> None:
    points, probabilities = corpus.points.copy(), corpus.probabilities.copy()
    points.iloc[0] = probabilities.iloc[0] = 0
    dark = replace(corpus, points=points, probabilities=probabilities)

    report = report_of(dark, counts=corpus.counts.iloc[1:], embeddings=corpus.embeddings.iloc[1:])

    assert (report["videos"] == 36).all()
    assert report[METRICS].notna().all(axis=None)


def test_a_large_corpus_is_evaluated_on_a_sample(corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "EVALUATED_VIDEOS", 12)
        report = report_of(corpus)

    assert (report["videos"] == 12).all()
    assert row_of(report, "object_space", "all")["precision"] == pytest.approx(
        row_of(report_of(corpus), "object_space", "all")["precision"], abs=0.15
    )


def test_metrics_have_flat_names_and_can_be_saved_as_json(corpus) -> None:
    metrics = summarise_recommendations(report_of(corpus))

    assert set(json.loads(json.dumps(metrics, allow_nan=False))) == {
        f"{system}{metric}_at_10{candidates}"
        for system in ("", "embeddings_", "probabilities_", "raw_counts_", "titles_", "random_")
        for metric in METRICS
        for candidates in ("", "_other_groups")
    }
    assert metrics["precision_at_10"] == row_of(report_of(corpus), "object_space", "all")["precision"]


def test_the_comparison_can_be_saved_and_loaded(corpus, tmp_path: Path) -> None:
    report = report_of(corpus)
    dataset = JSONDataset(filepath=str(tmp_path / "comparison.json"))

    dataset.save(draw_recommendation_comparison(report))

    bars = dataset.load().data
    assert [len(bar.y) for bar in bars] == [6, 6]
    assert bars[0].y[0] == pytest.approx(row_of(report, "object_space", "all")["precision"], abs=1e-4)


def test_the_comparison_can_be_drawn_without_metrics(corpus) -> None:
    figure = draw_recommendation_comparison(report_of(corpus.of(1)))

    assert all(value is None for bar in figure.data for value in bar.y)


def test_the_pipeline_creates_all_outputs(corpus) -> None:
    catalog = DataCatalog(
        {
            "video_points": MemoryDataset(corpus.points),
            "video_features": MemoryDataset(corpus.features),
            "corpus": MemoryDataset(corpus.manifest),
            "object_space": MemoryDataset(corpus.space),
            "class_embeddings": MemoryDataset(corpus.class_embeddings),
            "detections": MemoryDataset(corpus.detections, copy_mode="assign"),
            "embeddings": MemoryDataset(corpus.stored_embeddings, copy_mode="assign"),
            "object_scores": MemoryDataset(corpus.object_scores),
            "params:recommendation": MemoryDataset(OPTIONS),
            "params:seed": MemoryDataset(SEED),
        }
    )

    outputs = SequentialRunner().run(create_pipeline(), catalog)

    assert set(outputs) == {
        "recommendations",
        "recommendation_metrics",
        "recommendation_comparison",
        "importance_report",
    }
    assert outputs["recommendation_metrics"].load()["precision_at_10"] > 0.9


def test_each_importance_formula_that_the_detector_allows_is_evaluated(corpus) -> None:
    areas = replace(corpus.object_scores, area=corpus.object_scores.frames)
    options = RecommendationOptions(neighbours=3)

    reports = [
        compare_importances(scores, corpus.space, corpus.manifest, options, SEED)
        for scores in (corpus.object_scores, areas)
    ]

    assert [report["importance"].unique().tolist() for report in reports] == [
        ["confidence_share", "frame_share", "tf_idf"],
        ["confidence_share", "frame_share", "tf_idf", "area"],
    ]
    precision = reports[1].query("candidates == 'other_groups'").set_index("importance")["precision"]
    assert precision["area"] == precision["frame_share"] > 0.8, "areas equal frames in this corpus"


def with_copy(corpus, is_used: bool):
    """Return the first video, a copy of it, and the corpus with the copy."""
    first, copy = corpus.manifest["video_id"].iloc[0], "dogs/a-copy"
    row = corpus.manifest.head(1).assign(video_id=copy, repeats=first, is_used=is_used)

    def and_copy(table: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([table, table.loc[[first]].rename(index={first: copy})])

    return (
        first,
        copy,
        replace(
            corpus,
            manifest=pd.concat([corpus.manifest, row], ignore_index=True),
            probabilities=and_copy(corpus.probabilities),
            counts=and_copy(corpus.counts),
            embeddings=and_copy(corpus.embeddings),
            features=and_copy(corpus.features),
            points=and_copy(corpus.points),
        ),
    )


def test_an_excluded_duplicate_is_never_recommended_and_its_own_list_excludes_its_original(corpus) -> None:
    first, copy, copied = with_copy(corpus, is_used=False)

    recommended = recommendations_of(copied).set_index("video_id")["recommended_video_id"]

    assert copy not in set(recommended)
    assert len(recommended[copy]) == 10
    assert first not in set(recommended[copy])
    assert recommended[copy].tolist() == recommended[first].tolist()
    assert recommended.drop(copy).tolist() == recommendations_of(corpus)["recommended_video_id"].tolist()


def test_an_excluded_duplicate_changes_no_metric(corpus) -> None:
    _, _, copied = with_copy(corpus, is_used=False)

    pd.testing.assert_frame_equal(report_of(copied), report_of(corpus))


def test_a_duplicate_that_is_not_excluded_is_recommended_and_evaluated(corpus) -> None:
    first, copy, copied = with_copy(corpus, is_used=True)

    recommended = recommendations_of(copied).set_index("video_id")["recommended_video_id"]

    assert recommended[first].iloc[0] == copy
    assert recommended[copy].iloc[0] == first
    assert row_of(report_of(copied), "object_space", "all")["videos"] == len(corpus.manifest) + 1


@pytest.mark.parametrize(("title", "expected"), [("category", 1.0), ("nothing", None)])
def test_the_precision_of_titles_depends_on_their_words(corpus, title: str, expected: float | None) -> None:
    titles = {"category": corpus.manifest["category"], "nothing": "42 - 7 !"}

    report = report_of(corpus, manifest=corpus.manifest.assign(title=titles[title]))

    precision = row_of(report, "titles", "all")["precision"]
    assert precision == pytest.approx(expected or row_of(report, "random", "all")["precision"], abs=0.1)
