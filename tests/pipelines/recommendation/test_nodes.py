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
    """The report on the corpus with other tables, such as `points`."""
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


def test_nearest_video_is_the_one_that_shares_its_objects(corpus) -> None:
    nearest = recommendations_of(corpus).query("rank == 1")

    same_object = nearest["video_id"].str.split("-").str[0] == nearest["recommended_video_id"].str.split("-").str[0]
    assert same_object.mean() > 0.9


def test_each_recommendation_names_the_objects_that_the_two_share(corpus) -> None:
    recommended = recommendations_of(corpus)

    beagles = recommended[
        recommended["video_id"].str.contains("beagle") & recommended["recommended_video_id"].str.contains("beagle")
    ]
    assert len(beagles) > 0
    assert beagles["shared_objects"].str.contains("beagle").all()
    assert recommended["shared_objects"].str.count(",").max() <= 2


def test_every_video_gets_ten_others_in_order(corpus) -> None:
    recommended = recommendations_of(corpus)

    assert recommended["video_id"].tolist() == sorted(np.repeat(corpus.points.index, 10))
    assert recommended["rank"].tolist() == list(range(1, 11)) * 36
    assert (recommended["video_id"] != recommended["recommended_video_id"]).all()


def test_an_unlabelled_video_is_recommended_for_too(corpus) -> None:
    unlabelled = with_categories(corpus, None)
    recommender = fit_recommender(corpus.points, unlabelled)

    recommended = recommend_videos(recommender, corpus.points, corpus.features, corpus.space, OPTIONS)

    assert recommended["video_id"].nunique() == 36


def test_the_same_group_is_never_recommended_where_the_options_say_so(corpus) -> None:
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


def test_object_space_finds_the_kind_where_counts_find_only_the_object(corpus) -> None:
    report = report_of(corpus)

    ours, counts = (row_of(report, system, "other_groups") for system in ("object_space", "raw_counts"))
    assert ours["precision"] > counts["precision"] + 0.1
    assert ours["ndcg"] > counts["ndcg"]
    assert ours["map"] > counts["map"]


def test_random_recommendations_hit_as_often_as_the_category_is_common(corpus) -> None:
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


def test_neighbours_that_share_only_a_photo_do_not_count_among_other_groups(corpus) -> None:
    """A system that knows nothing but the photo looks good until its group is taken away."""
    photos = pd.get_dummies(corpus.manifest.set_index("video_id")["group"]).astype("float32")

    report = report_of(corpus, RecommendationOptions(neighbours=1), points=photos)

    assert row_of(report, "object_space", "all")["precision"] == 1
    assert row_of(report, "object_space", "other_groups")["precision"] < 0.6


def test_relevant_videos_are_fewer_without_the_group(corpus) -> None:
    """Each category here is one group: all can be judged with it, none without."""
    manifest = corpus.manifest.assign(group=corpus.manifest["category"])

    report = report_of(corpus, manifest=manifest)

    assert row_of(report, "object_space", "all")["videos"] == 36
    assert row_of(report, "object_space", "other_groups")["videos"] == 0
    assert "precision_at_10_other_groups" not in summarise_recommendations(report)


def test_unlabelled_videos_take_no_part_in_the_figures(corpus) -> None:
    some = corpus.manifest["category"].where(corpus.manifest.index % 3 != 0)
    manifest = with_categories(corpus, some)
    labelled = manifest.dropna(subset="category")

    whole = report_of(corpus, manifest=manifest)
    alone = report_of(corpus, manifest=labelled, points=corpus.points.loc[labelled["video_id"]])

    pd.testing.assert_frame_equal(whole, alone)
    assert whole["videos"].max() == 24


@pytest.mark.parametrize("categories", [None, "pets", [f"kind-{number}" for number in range(36)]])
def test_a_corpus_with_no_or_one_or_unique_categories_is_evaluated_without_a_crash(corpus, categories, caplog) -> None:
    manifest = with_categories(corpus, categories)

    report = report_of(corpus, manifest=manifest)
    metrics = summarise_recommendations(report)

    if categories == "pets":
        assert metrics["random_precision_at_10"] == 1
    else:
        assert "precision_at_10" not in metrics
        assert "cannot be evaluated" in caplog.text


def test_videos_without_objects_are_evaluated_too(corpus) -> None:
    points, probabilities = corpus.points.copy(), corpus.probabilities.copy()
    points.iloc[0] = probabilities.iloc[0] = 0
    dark = replace(corpus, points=points, probabilities=probabilities)

    report = report_of(dark, counts=corpus.counts.iloc[1:], embeddings=corpus.embeddings.iloc[1:])

    assert (report["videos"] == 36).all()
    assert report[METRICS].notna().all(axis=None)


def test_figures_of_a_large_corpus_are_measured_on_a_sample(corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "EVALUATED_VIDEOS", 12)
        report = report_of(corpus)

    assert (report["videos"] == 12).all()
    assert row_of(report, "object_space", "all")["precision"] == pytest.approx(
        row_of(report_of(corpus), "object_space", "all")["precision"], abs=0.15
    )


def test_metrics_have_flat_names_that_json_can_hold(corpus) -> None:
    metrics = summarise_recommendations(report_of(corpus))

    assert set(json.loads(json.dumps(metrics, allow_nan=False))) == {
        f"{system}{metric}_at_10{candidates}"
        for system in ("", "embeddings_", "probabilities_", "raw_counts_", "titles_", "random_")
        for metric in METRICS
        for candidates in ("", "_other_groups")
    }
    assert metrics["precision_at_10"] == row_of(report_of(corpus), "object_space", "all")["precision"]


def test_the_comparison_can_be_stored_and_read_again(corpus, tmp_path: Path) -> None:
    report = report_of(corpus)
    dataset = JSONDataset(filepath=str(tmp_path / "comparison.json"))

    dataset.save(draw_recommendation_comparison(report))

    bars = dataset.load().data
    assert [len(bar.y) for bar in bars] == [6, 6]
    assert bars[0].y[0] == pytest.approx(row_of(report, "object_space", "all")["precision"], abs=1e-4)


def test_the_comparison_can_be_drawn_when_nothing_could_be_measured(corpus) -> None:
    figure = draw_recommendation_comparison(report_of(corpus.of(1)))

    assert all(value is None for bar in figure.data for value in bar.y)


def test_the_pipeline_makes_every_output_from_its_inputs(corpus) -> None:
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


def test_each_formula_of_importance_that_the_detector_allows_is_evaluated(corpus) -> None:
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
    judged = reports[1].query("candidates == 'other_groups'").set_index("importance")["precision"]
    assert judged["area"] == judged["frame_share"] > 0.8, "areas are the same as frames here"


def with_copy(corpus, is_used: bool):
    """The same corpus, and in it a copy of the first video."""
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


def test_an_excluded_duplicate_is_never_recommended_and_gets_its_own_list_without_its_original(corpus) -> None:
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


def test_a_duplicate_that_is_not_excluded_is_a_video_like_any_other(corpus) -> None:
    first, copy, copied = with_copy(corpus, is_used=True)

    recommended = recommendations_of(copied).set_index("video_id")["recommended_video_id"]

    assert recommended[first].iloc[0] == copy
    assert recommended[copy].iloc[0] == first
    assert row_of(report_of(copied), "object_space", "all")["videos"] == len(corpus.manifest) + 1


@pytest.mark.parametrize(("title", "expected"), [("category", 1.0), ("nothing", None)])
def test_titles_recommend_as_well_as_they_describe_the_category(corpus, title: str, expected: float | None) -> None:
    titles = {"category": corpus.manifest["category"], "nothing": "42 - 7 !"}

    report = report_of(corpus, manifest=corpus.manifest.assign(title=titles[title]))

    precision = row_of(report, "titles", "all")["precision"]
    assert precision == pytest.approx(expected or row_of(report, "random", "all")["precision"], abs=0.1)
