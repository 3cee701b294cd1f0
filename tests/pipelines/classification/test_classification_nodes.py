"""Nodes of the classification stage, on small and empty corpora."""

import json
import logging
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro_datasets.plotly import JSONDataset
from pydantic import ValidationError

from video_recommender.pipelines.classification import nodes
from video_recommender.pipelines.classification.nodes import (
    compare_candidates,
    draw_confusion_matrix,
    measure_classification,
    predict_categories,
    report_categories,
    train_category_classifier,
)
from video_recommender.similarity import category_models
from video_recommender.similarity.category_models import CandidateComparison, CategoryModel, ClassificationOptions

Corpus = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class Classified:
    comparison: CandidateComparison
    classifier: CategoryModel
    predictions: pd.DataFrame
    metrics: dict[str, float | None]
    report: pd.DataFrame
    figure: go.Figure


def classify(corpus: Corpus, seed: int = 0, **options: object) -> Classified:
    points, manifest = corpus
    comparison = compare_candidates(points, manifest, ClassificationOptions(**options), seed)
    classifier = train_category_classifier(points, manifest, comparison, seed)
    predictions = predict_categories(points, manifest, comparison, classifier)
    return Classified(
        comparison,
        classifier,
        predictions,
        measure_classification(comparison, predictions),
        report_categories(predictions),
        draw_confusion_matrix(predictions),
    )


@pytest.fixture(scope="module")
def classified(corpus: Corpus) -> Classified:
    return classify(corpus)


def test_videos_of_clear_categories_are_classified_correctly(classified: Classified) -> None:
    assert classified.metrics["accuracy"] > 0.8
    assert classified.metrics["macro_f1"] > 0.8
    assert classified.metrics["accuracy"] > classified.metrics["accuracy_majority"] + 0.4


def test_every_candidate_and_the_majority_baseline_are_evaluated(classified: Classified) -> None:
    names = {"majority", "nearest_neighbours", "logistic_regression", "linear_svm"}

    assert {f"accuracy_{name}" for name in names} | {f"macro_f1_{name}" for name in names} <= set(classified.metrics)
    assert classified.metrics["macro_f1"] == max(classified.metrics[f"macro_f1_{name}"] for name in names)
    # Categories are equally frequent, so the most frequent one of a training set is at most a third of its fold.
    assert classified.metrics["accuracy_majority"] <= 1 / 3


def test_the_first_of_equal_candidates_is_chosen(make_corpus: Callable[..., Corpus]) -> None:
    easy = make_corpus({"food": [2] * 3, "pets": [2] * 3}, noise=0.01)

    for candidates in (["linear_svm", "nearest_neighbours"], ["nearest_neighbours", "linear_svm"]):
        assert classify(easy, candidates=candidates).comparison.chosen == candidates[0]


def test_no_group_is_in_two_folds(corpus: Corpus, classified: Classified) -> None:
    groups = corpus[1].set_index("video_id")["group"]
    measured = classified.predictions.dropna(subset="fold")

    folds_of_group = measured.groupby(measured["video_id"].map(groups))["fold"].nunique()

    assert (folds_of_group == 1).all()
    assert sorted(measured["fold"].unique()) == [1, 2, 3, 4, 5]


def test_a_video_is_predicted_by_models_that_have_not_seen_its_group(make_corpus: Callable[..., Corpus]) -> None:
    # One group of pets resembles food: a model recognises it only if it has seen other videos of that group.
    points, manifest = make_corpus({"food": [4] * 5, "pets": [4] * 5}, noise=0.1)
    disguised = (manifest["group"] == "pets0").to_numpy()
    points.loc[disguised] = points[manifest["group"].to_numpy() == "food0"].to_numpy()
    points.loc[disguised, "axis_0016"] += 1
    ungrouped = manifest.assign(group=manifest["video_id"])

    recall = {
        name: (classify((points, rows)).predictions.loc[disguised, "predicted_category"] == "pets").mean()
        for name, rows in {"grouped": manifest, "ungrouped": ungrouped}.items()
    }

    assert recall == {"grouped": 0, "ungrouped": 1}


def test_videos_without_a_category_are_predicted_without_a_fold(classified: Classified) -> None:
    unlabelled = classified.predictions.set_index("video_id").loc[["_/0", "_/1"]]

    assert unlabelled["category"].isna().all()
    assert unlabelled["fold"].isna().all()
    assert (unlabelled["predicted_category"] == "food").all()
    assert classified.metrics["n_unlabelled"] == 2


def test_a_video_that_failed_is_neither_used_for_training_nor_predicted(make_corpus: Callable[..., Corpus]) -> None:
    points, manifest = make_corpus({"food": [2] * 3, "pets": [2] * 3})

    classified = classify((points, manifest.drop(index=0)))

    assert manifest.loc[0, "video_id"] not in set(classified.predictions["video_id"])
    assert classified.metrics["n_videos"] == 11


def test_an_excluded_duplicate_is_predicted_but_used_neither_for_training_nor_for_evaluation(
    make_corpus: Callable[..., Corpus],
) -> None:
    points, manifest = make_corpus({"food": [2] * 3, "pets": [2] * 3})
    copy = manifest.loc[0, "video_id"]
    without = classify((points.drop(index=copy), manifest.drop(index=0)))

    manifest.loc[0, ["repeats", "is_used"]] = [manifest.loc[1, "video_id"], False]
    classified = classify((points, manifest))

    predicted = classified.predictions.set_index("video_id").loc[copy]
    assert predicted["predicted_category"] == "food"
    assert pd.isna(predicted["fold"])
    assert classified.metrics["accuracy"] == without.metrics["accuracy"]
    pd.testing.assert_frame_equal(
        classified.predictions[classified.predictions["video_id"] != copy].reset_index(drop=True), without.predictions
    )


def test_the_report_and_the_figure_agree_with_the_predictions(classified: Classified) -> None:
    labelled = classified.predictions.dropna(subset="category")
    pets = labelled[labelled["category"] == "pets"]

    report = classified.report.set_index("category")
    heat_map = classified.figure.data[0]

    assert report["videos"].tolist() == [20, 20, 20]
    assert report.loc["pets", "recall"] == pytest.approx((pets["predicted_category"] == "pets").mean())
    assert classified.metrics["macro_f1"] == pytest.approx(report["f1"].mean())
    assert heat_map.text[1][1] == (pets["predicted_category"] == "pets").sum()
    assert sum(map(sum, heat_map.text)) == 60


def test_the_figure_can_be_saved_and_loaded(classified: Classified, tmp_path: Path) -> None:
    dataset = JSONDataset(filepath=str(tmp_path / "confusion_matrix.json"))

    dataset.save(classified.figure)

    assert dataset.load() == classified.figure
    assert dataset.preview()["data"][0]["type"] == "heatmap"


@pytest.mark.parametrize(
    ("groups", "unlabelled"),
    [
        ({}, 0),
        ({}, 3),
        ({"pets": [1]}, 0),
        ({"pets": [3, 3]}, 1),
        ({"pets": [1], "food": [1]}, 1),
        ({"pets": [4], "food": [4]}, 0),
        ({"pets": [2, 2], "food": [4]}, 0),
    ],
    ids=["empty", "no category", "one video", "one category", "two videos", "one group each", "one with two groups"],
)
def test_a_corpus_too_small_for_cross_validation_is_predicted_with_a_warning(
    make_corpus: Callable[..., Corpus],
    caplog: pytest.LogCaptureFixture,
    groups: dict[str, list[int]],
    unlabelled: int,
) -> None:
    points, manifest = make_corpus(groups, unlabelled=unlabelled)

    with caplog.at_level(logging.WARNING):
        classified = classify((points, manifest))

    assert "cannot be evaluated" in caplog.text
    assert json.loads(json.dumps(classified.metrics))["accuracy"] is None
    assert classified.predictions["video_id"].tolist() == manifest["video_id"].tolist()
    assert classified.predictions["fold"].isna().all()
    assert set(classified.predictions["predicted_category"]) <= (set(groups) or {"unknown"})
    assert classified.report["f1"].isna().all()
    assert "Too few videos" in classified.figure.layout.title.text


def test_a_category_with_fewer_groups_than_folds_reduces_the_folds_and_logs_a_warning(
    make_corpus: Callable[..., Corpus], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        classified = classify(make_corpus({"pets": [2] * 3, "food": [2] * 6}), folds=5)

    assert classified.metrics["n_folds"] == 3
    assert "3 folds instead of 5: 'pets' has only 3 groups" in caplog.text


def test_a_category_with_one_group_is_never_predicted_in_cross_validation(
    make_corpus: Callable[..., Corpus], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        classified = classify(make_corpus({"pets": [2] * 5, "food": [2] * 5, "rooms": [3]}, noise=0.1))

    assert classified.report.set_index("category").loc["rooms", "recall"] == 0
    assert "only one group are never predicted in cross-validation: rooms" in caplog.text
    assert classified.metrics["n_folds"] == 5


def test_a_candidate_that_needs_more_videos_is_skipped(
    make_corpus: Callable[..., Corpus], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        classified = classify(make_corpus({"pets": [1] * 2, "food": [1] * 2}, noise=0.1))

    assert "linear_svm is skipped" in caplog.text
    assert classified.metrics["accuracy"] == 1


def test_a_group_with_two_categories_is_not_split_across_folds(make_corpus: Callable[..., Corpus]) -> None:
    points, manifest = make_corpus({"pets": [3] * 4, "food": [3] * 4})
    manifest.loc[manifest["group"].isin(["pets0", "food0"]), "group"] = "one uploader"

    predictions = classify((points, manifest)).predictions

    shared = predictions["video_id"].isin(manifest.loc[manifest["group"] == "one uploader", "video_id"])
    assert len(set(predictions.loc[shared, "fold"])) == 1


def test_the_same_seed_gives_the_same_bytes(make_corpus: Callable[..., Corpus]) -> None:
    corpus = make_corpus({"pets": [3] * 4, "food": [3] * 4}, noise=1.5, unlabelled=1)

    def pickled(seed: int) -> bytes:
        classified = classify(corpus, seed=seed, candidates=["linear_svm"])
        return pickle.dumps((classified.classifier, classified.predictions))

    assert pickled(1) == pickled(1)
    assert pickled(1) != pickled(2)


def test_the_error_for_a_misspelt_option_names_it() -> None:
    with pytest.raises(ValidationError, match="candidates"):
        ClassificationOptions(candidates=["nearest_neighbors"])
    with pytest.raises(ValidationError, match="folds"):
        ClassificationOptions(folds=1)


def test_a_large_corpus_is_sampled_by_whole_groups_with_at_least_two_of_every_category(
    make_corpus: Callable[..., Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = make_corpus({"food": [4] * 40, "pets": [4] * 40, "rooms": [2, 2]})
    monkeypatch.setattr(nodes, "COMPARED_VIDEOS", 60)

    found = classify(corpus)

    groups = corpus[1].set_index("video_id")["group"]
    compared = groups[found.comparison.predictions_of_chosen["video_id"].unique()]
    assert 52 <= len(compared) <= 60
    assert compared.value_counts().eq(groups.value_counts().loc[compared.unique()]).all()
    assert found.predictions["fold"].notna().sum() == len(compared)
    assert found.predictions.groupby("category")["fold"].count().to_dict()["rooms"] == 4
    assert len(found.predictions) == len(groups)


def test_candidates_are_compared_on_all_videos_up_to_the_sample_size(
    corpus: Corpus, classified: Classified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "COMPARED_VIDEOS", 60)

    found = classify(corpus)

    pd.testing.assert_frame_equal(found.predictions, classified.predictions)


def test_a_candidate_that_is_slow_with_many_videos_is_skipped_unless_it_is_the_only_one(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(category_models.MAX_VIDEOS, "linear_svm", 59)

    among_others = classify(corpus, candidates=["nearest_neighbours", "linear_svm"])
    alone = classify(corpus, candidates=["linear_svm"])

    assert "accuracy_linear_svm" not in among_others.metrics
    assert "linear_svm is skipped: it takes too long with more than 59 videos" in caplog.text
    assert alone.comparison.chosen == "linear_svm"
