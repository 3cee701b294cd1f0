"""Checks before a run, and the summary after it."""

import pandas as pd
import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from video_recommender.hooks import HEADLINES, MissingInputHooks, ParameterHooks, RunSummaryHooks


@pytest.fixture(autouse=True)
def project() -> None:
    configure_project("video_recommender")
    pipelines.set_requested(None)


def test_missing_inputs_are_reported_with_the_pipelines_that_create_them() -> None:
    with pytest.raises(ValueError, match=r"Missing input .*video_points.*kedro run --pipelines=.*feature_engineering"):
        MissingInputHooks().before_pipeline_run(pipelines["classification"], DataCatalog())


def test_a_parameter_that_no_pipeline_reads_is_rejected() -> None:
    given = {"runtime_params": {"clasification": {"folds": 3}}}

    with pytest.raises(ValueError, match=r"parameter clasification: choose from advertising, classification, "):
        ParameterHooks().before_pipeline_run(given, pipelines["classification"])


@pytest.mark.parametrize("given", [None, {}, {"classification": {"folds": 3}}, {"recommendation": {"neighbours": 3}}])
def test_parameters_of_other_pipelines_are_accepted(given) -> None:
    ParameterHooks().before_pipeline_run({"runtime_params": given}, pipelines["classification"])


def summary_of(capsys: pytest.CaptureFixture, **made: object) -> str:
    """Return the summary of a run that saved these datasets, without line breaks."""
    catalog = DataCatalog({name: MemoryDataset(content) for name, content in made.items()})
    pipeline = Pipeline([Node(lambda: None, None, name, name=f"make_{name}") for name in made])
    RunSummaryHooks().after_pipeline_run(pipeline, catalog)
    return " ".join(capsys.readouterr().out.split())


def manifest_of(*failed: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame([("pets/cat", "ok", ""), *failed], columns=["video_id", "status", "error"])


def report_of(neighbours: int, precision: float | None) -> pd.DataFrame:
    rows = [("object_space", "all", 1.0), ("object_space", "other_groups", precision), ("random", "other_groups", 0.25)]
    return pd.DataFrame(rows, columns=["system", "candidates", "precision"]).assign(neighbours=neighbours)


@pytest.mark.parametrize(
    "path", ["/videos/[old] clips/[/x].mp4", "/videos/[bold]cat.mp4", "/videos/[red]/[/]/a.mp4", "/videos/:cat:/a.mp4"]
)
def test_the_error_of_a_failed_video_is_printed_without_markup(monkeypatch, capsys, path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    manifest = manifest_of(("pets/x", "empty", f"{path} is empty (0 bytes): replace it"))

    shown = summary_of(capsys, video_manifest=manifest)

    assert "1 of 2 videos succeeded" in shown
    assert f"pets/x (empty): {path} is empty (0 bytes): replace it" in shown


def test_a_video_that_fails_in_several_stages_is_listed_once_with_its_first_error(capsys) -> None:
    shown = summary_of(
        capsys,
        video_manifest=manifest_of(("pets/dog", "ok", "")),
        frame_manifest=manifest_of(("pets/dog", "unreadable", "no frame")),
        detection_manifest=manifest_of(("pets/dog", "unreadable", "no frame, as before")),
    )

    assert "1 of 2 videos succeeded" in shown
    assert shown.count("pets/dog") == 1
    assert "as before" not in shown


def test_the_first_ten_failures_are_listed_with_the_table_that_has_the_others(capsys) -> None:
    failed = [(f"pets/{number:02d}", "empty", "is empty") for number in range(12)]

    shown = summary_of(capsys, video_manifest=manifest_of(*failed))

    assert shown.count("is empty") == 10
    assert "and 2 more" in shown
    assert "video_manifest" in shown


@pytest.mark.parametrize("neighbours", [10, 3])
def test_the_headline_contains_the_number_of_recommended_neighbours(monkeypatch, capsys, neighbours) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    shown = summary_of(capsys, recommendation_report=report_of(neighbours, 0.75))

    assert f"precision@{neighbours} 0.75 (random: 0.25)" in shown


def test_the_headline_of_ads_contains_the_revenue_and_its_share_of_the_optimum(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    metrics = {"revenue_per_session": 6.581, "share_of_optimum": 0.9943, "random_revenue_per_session": 3.127}

    shown = summary_of(capsys, advertising_metrics=metrics)

    assert "Ad revenue per session: 6.58, 99.4% of the optimum (random: 3.13)" in shown


@pytest.mark.parametrize(
    "made",
    [
        {"recommendation_report": report_of(10, None)},
        {"classification_metrics": {"accuracy": None, "accuracy_majority": None}},
        {"advertising_metrics": {"revenue_per_session": 0.0, "random_revenue_per_session": 0.0}},
    ],
    ids=["no precision", "no accuracy", "no revenue"],
)
def test_a_missing_metric_has_no_headline(capsys, made) -> None:
    assert "%" not in (shown := summary_of(capsys, **made))
    assert "precision" not in shown


def test_outputs_are_listed_by_stage_with_their_paths(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    catalog = DataCatalog(
        {
            "corpus": JSONDataset(filepath=f"{tmp_path}/data/corpus.json"),
            "report": JSONDataset(filepath="memory:///reports/report.json"),
            "missing": JSONDataset(filepath=f"{tmp_path}/data/missing.json"),
        }
    )
    for name in ("corpus", "report"):
        catalog.save(name, {})
    pipeline = Pipeline([Node(lambda: None, None, [*catalog.keys()], name="make", namespace="near_duplicates")])

    RunSummaryHooks().after_pipeline_run(pipeline, catalog)

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "data/corpus.json" in lines[1]
    assert lines[2:] == ["memory:///reports/report.json"]


def test_every_headline_is_a_dataset_of_the_project() -> None:
    pipelines.set_requested(None)

    assert HEADLINES.keys() <= pipelines["__default__"].all_outputs()
