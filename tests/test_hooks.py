"""What a run says before it begins and after it has ended."""

import pandas as pd
import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from video_recommender.hooks import MissingInputHooks, RunSummaryHooks, UnknownParameterHooks


@pytest.fixture(autouse=True)
def project() -> None:
    configure_project("video_recommender")
    pipelines.set_requested(None)


def test_what_is_missing_is_named_with_the_pipelines_that_make_it() -> None:
    with pytest.raises(ValueError, match=r"no .*video_points.*kedro run --pipelines=.*feature_engineering"):
        MissingInputHooks().before_pipeline_run(pipelines["classification"], DataCatalog())


def test_a_parameter_that_nothing_reads_is_refused_by_name() -> None:
    asked = {"runtime_params": {"clasification": {"folds": 3}}}

    with pytest.raises(ValueError, match=r"parameter clasification: choose from advertising, classification, "):
        UnknownParameterHooks().before_pipeline_run(asked, pipelines["classification"])


@pytest.mark.parametrize("asked", [None, {}, {"classification": {"folds": 3}}, {"recommendation": {"neighbours": 3}}])
def test_a_parameter_of_any_pipeline_may_be_given(asked) -> None:
    UnknownParameterHooks().before_pipeline_run({"runtime_params": asked}, pipelines["classification"])


def summary_of(capsys: pytest.CaptureFixture, **made: object) -> str:
    """What is printed after a run that has made these datasets; line breaks are the console's affair."""
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
def test_a_failed_video_is_shown_whole_whatever_its_name(monkeypatch, capsys, path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    manifest = manifest_of(("pets/x", "empty", f"{path} is empty (0 bytes): replace it"))

    said = summary_of(capsys, video_manifest=manifest)

    assert "1 of 2 videos went through" in said
    assert f"pets/x (empty): {path} is empty (0 bytes): replace it" in said


def test_a_video_that_fails_in_one_stage_is_told_once_with_its_first_reason(capsys) -> None:
    said = summary_of(
        capsys,
        video_manifest=manifest_of(("pets/dog", "ok", "")),
        frame_manifest=manifest_of(("pets/dog", "unreadable", "no picture")),
        detection_manifest=manifest_of(("pets/dog", "unreadable", "no picture, as was said")),
    )

    assert "1 of 2 videos went through" in said
    assert said.count("pets/dog") == 1
    assert "as was said" not in said


def test_of_many_failures_the_first_ten_are_shown_and_where_to_find_the_others(capsys) -> None:
    failed = [(f"pets/{number:02d}", "empty", "is empty") for number in range(12)]

    said = summary_of(capsys, video_manifest=manifest_of(*failed))

    assert said.count("is empty") == 10
    assert "and 2 more" in said
    assert "video_manifest" in said


@pytest.mark.parametrize("neighbours", [10, 3])
def test_the_headline_names_as_many_neighbours_as_were_recommended(monkeypatch, capsys, neighbours) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    said = summary_of(capsys, recommendation_report=report_of(neighbours, 0.75))

    assert f"precision@{neighbours} 0.75 (at random: 0.25)" in said


def test_the_headline_of_ads_tells_what_they_earn_and_how_much_is_possible(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    metrics = {"revenue_per_session": 6.581, "share_of_optimum": 0.9943, "random_revenue_per_session": 3.127}

    said = summary_of(capsys, advertising_metrics=metrics)

    assert "earn 6.58 per session, 99.4% of the most that is possible (at random: 3.13)" in said


@pytest.mark.parametrize(
    "made",
    [
        {"recommendation_report": report_of(10, None)},
        {"classification_metrics": {"accuracy": None, "accuracy_majority": None}},
        {"advertising_metrics": {"revenue_per_session": 0.0, "random_revenue_per_session": 0.0}},
    ],
    ids=["no precision", "no accuracy", "nothing to earn"],
)
def test_what_could_not_be_measured_has_no_headline(capsys, made) -> None:
    assert "%" not in (said := summary_of(capsys, **made))
    assert "precision" not in said
