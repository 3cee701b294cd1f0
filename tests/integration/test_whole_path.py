"""A run of all stages on a small corpus, and its outputs in the catalog."""

import json
import subprocess
import sys

import mlflow
import numpy as np
import plotly.graph_objects as go
import pytest
from kedro.framework.project import pipelines
from kedro.io import MemoryDataset
from mlflow import MlflowClient

from video_recommender.incremental.runner import stage_of

TABLES = {
    "video_manifest",
    "frame_manifest",
    "detection_manifest",
    "segmentation_manifest",
    "class_embeddings",
    "segmented_class_embeddings",
    "video_features",
    "video_points",
    "category_predictions",
    "recommendations",
    "ads",
    "ad_recommendations",
}
STAGES = [
    "ingestion",
    "preprocessing",
    "deduplication",
    "detection",
    "segmentation",
    "feature_engineering",
    "classification",
    "recommendation",
    "advertising",
    "reporting",
]
LOKY = {"workers": {"backend": "loky", "jobs": 2}}


def test_every_node_runs_once_and_a_stage_finishes_before_the_next_one_starts(first_run):
    stages = {node.short_name: stage_of(node) for node in pipelines["__default__"].nodes}

    assert sorted(first_run.executed) == sorted(stages)
    order = [STAGES.index(stages[name]) for name in first_run.executed]
    assert order == sorted(order)


def test_each_video_becomes_frames_numbered_from_one(project):
    manifest = project.load("video_manifest")
    frames = project.load("frames")

    assert len(manifest) == 12
    assert set(manifest["status"]) == {"ok"}
    assert set(manifest["category"]) == {"space", "textures", "things"}
    assert list(frames) == sorted(manifest["video_id"])
    for video_id, load in frames.items():
        folder = load()
        assert folder.path == project.data / "02_intermediate/frames" / video_id
        assert [file.name for file in folder.files] == [f"{number}.jpg" for number in range(1, len(folder.files) + 1)]
        assert folder.decode().shape == (frames.states[video_id].properties["frames"], 224, 224, 3)


def test_each_frame_has_exactly_one_detection_with_its_confidence(project):
    detections = project.load("detections")
    frames = project.load("frame_manifest").set_index("video_id")["frames"]

    assert set(detections) == set(frames.index)
    for video_id, load in detections.items():
        table = load()
        assert list(table.columns) == ["frame", "class_name", "confidence"]
        assert table["frame"].tolist() == list(range(1, frames[video_id] + 1))
        assert table["confidence"].between(0, 1).all()


def test_the_network_detects_the_objects_of_the_clips(project):
    predicted = {name: load()["class_name"].mode()[0] for name, load in project.load("detections").items()}

    assert {"missile", "projectile", "space shuttle"} & {name for video, name in predicted.items() if "space/" in video}
    assert {"espresso", "cup", "coffee mug"} & {name for video, name in predicted.items() if "things/" in video}


def test_every_video_has_features_a_point_a_category_and_ranked_recommendations(project):
    video_ids = set(project.load("video_manifest")["video_id"])
    points, predictions = project.load("video_points"), project.load("category_predictions")
    recommendations = project.load("recommendations")

    assert set(project.load("video_features").index) == set(points.index) == video_ids
    assert np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)
    assert set(predictions["video_id"]) == video_ids
    assert set(recommendations["video_id"]) == video_ids
    for video_id, ranked in recommendations.groupby("video_id"):
        assert ranked["rank"].tolist() == list(range(1, 11))
        assert ranked["recommended_video_id"].is_unique
        assert video_id not in set(ranked["recommended_video_id"])
        assert ranked["similarity"].is_monotonic_decreasing


def test_saved_models_reproduce_the_results_of_the_run(project):
    points = project.load("video_points")

    categories = project.load("category_classifier").predict(points)
    neighbours = project.load("recommender").recommend(points, k=10)

    assert set(categories) <= {"space", "textures", "things"}
    kept = project.load("recommendations")
    assert neighbours["recommended_video_id"].tolist() == kept["recommended_video_id"].tolist()


def test_every_video_and_every_new_video_has_an_ad(project, clips):
    project.run("inference", params={"inference": {"videos": str(clips / "animals/clip-001.mp4")}})
    ads, recommended = project.load("ads"), project.load("ad_recommendations")
    predicted = project.load("new_video_answers")[0]["ad"]

    assert set(ads["category"]) == {"space", "textures", "things"}
    assert set(recommended["video_id"]) == set(project.load("video_manifest")["video_id"])
    assert set(recommended["ad_id"]) <= set(ads["ad_id"])
    assert predicted["ad_id"] in set(ads["ad_id"])
    assert 0 < predicted["watch_probability"] <= 1


def test_a_table_of_ads_of_the_user_replaces_the_generated_ads(project):
    ads = project.load("ads").assign(ad_id=lambda table: "my-" + table["ad_id"], reward=[9.0, 1.0] * 3)
    ads.to_csv(project.data / "01_raw/ads.csv", index=False)

    project.run("advertising")

    assert set(project.load("ad_recommendations")["ad_id"]) <= set(ads["ad_id"])
    assert project.load("ads")["reward"].max() == 9


def test_the_ad_agent_is_evaluated_on_a_simulated_log_or_on_a_log_of_the_user(project):
    project.run("off_policy")
    simulated, log = project.load("off_policy_report"), project.load("ad_session_log")
    log[log["session"] <= 100].to_parquet(project.data / "01_raw/ad_session_log.parquet")
    project.run("off_policy")

    assert set(simulated["sessions"]) == {500}
    assert set(project.load("off_policy_report")["sessions"]) == {100}


def test_metrics_and_charts_are_saved(project):
    assert 0 <= project.load("classification_metrics")["accuracy"] <= 1
    assert {"precision_at_10", "random_precision_at_10_other_groups"} <= project.load("recommendation_metrics").keys()
    assert isinstance(project.load("confusion_matrix"), go.Figure)
    assert isinstance(project.load("recommendation_comparison"), go.Figure)
    assert 0 < project.load("advertising_metrics")["share_of_optimum"] < 1.5
    assert isinstance(project.load("ad_learning_figure"), go.Figure)
    assert isinstance(project.load("ad_choice_figure"), go.Figure)


def test_every_catalog_entry_can_be_loaded(project, clips):
    project.run("inference", params={"inference": {"videos": str(clips / "animals/clip-001.mp4")}})
    catalog = project.catalog()
    pipelines.set_requested(None)
    made = pipelines["__default__"].all_outputs() | pipelines["inference"].all_outputs()

    loaded = {name: catalog.load(name) for name in made if not isinstance(catalog[name], MemoryDataset)}

    assert loaded.keys() >= TABLES
    assert all(content is not None for content in loaded.values())


def test_a_notebook_with_the_kedro_extension_has_the_catalog(project):
    shell = "%load_ext kedro.ipython\nprint(len(catalog.load('recommendations')), 'rows', sorted(pipelines)[0])"

    notebook = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", shell],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"{len(project.load('recommendations'))} rows __default__" in notebook.stdout


def test_mlflow_has_the_run_with_parameters_metrics_charts_and_tables(project):
    (run,) = runs_of(project, "__default__")[:1]

    assert run.info.status == "FINISHED"
    assert run.data.params["classification.folds"] == "5"
    assert run.data.params["preprocessing.size"] == "224"
    assert not any(value.startswith("{") for value in run.data.params.values())
    assert 0 <= run.data.metrics["accuracy"] <= 1
    assert "precision_at_10" in run.data.metrics
    artifacts = {artifact.path for artifact in MlflowClient().list_artifacts(run.info.run_id)}
    assert {
        "confusion_matrix.html",
        "recommendation_comparison.html",
        "category_report.csv",
        "recommendation_report.csv",
        "ad_policy_report.csv",
        "ad_choices.csv",
        "ad_learning_figure.html",
    } <= artifacts


def test_models_registered_in_mlflow_have_a_signature_and_predict(project):
    use_mlflow_of(project)
    points = project.load("video_points")
    names = ("category_classifier", "recommender", "ad_network")
    models = {name: mlflow.pyfunc.load_model(f"models:/{name}/1") for name in names}
    observations = project.load("ad_observations").to_numpy(np.float32)

    assert {model.name for model in MlflowClient().search_registered_models()} == models.keys()
    for name in names:
        versions = {int(known.version) for known in MlflowClient().search_model_versions(f"name = '{name}'")}
        assert int(MlflowClient().get_model_version_by_alias(name, "current").version) == max(versions)
    assert models["category_classifier"].metadata.signature.inputs is not None
    assert models["recommender"].metadata.signature is not None
    assert len(models["category_classifier"].predict(points)) == len(points)
    assert models["ad_network"].metadata.signature.inputs is not None
    assert models["ad_network"].predict(observations) == pytest.approx(
        project.load("ad_policy").action_values(observations), abs=1e-3
    )
    assert models["recommender"].predict(points.head(1))["recommended_video_id"].iloc[0] in set(points.index)


def test_a_second_run_changes_nothing(project):
    files, partitions, runs = project.files(), project.partitions(), len(runs_of(project, "__default__"))

    executed = project.run(tracked=True)

    assert set(executed) == {"download_videos", "list_videos", "select_usable_videos", "identify_segmentation_model"}
    assert project.remade(partitions) == {}
    assert project.files() == files
    assert len(runs_of(project, "__default__")) == runs


@pytest.mark.parametrize("importance", ["confidence_share", "area"])
def test_one_parameter_selects_the_segmenter_for_all_later_stages(project, clips, importance):
    stages = ("feature_engineering", "classification", "recommendation")
    chosen = {"feature_engineering": {"detector": "segmenter", "importance": importance}}
    points = project.load("video_points")

    project.run(*stages, params=chosen)
    project.run("inference", params={**chosen, "inference": {"videos": str(clips / "animals/clip-001.mp4")}})

    features = project.load("video_features")
    assert set(features.columns) <= set(project.load("segmented_class_embeddings").index)
    assert project.load("video_points").shape != points.shape
    assert set(project.load("recommendations")["video_id"]) == set(points.index)
    assert set(project.load("importance_report")["importance"]) >= {"confidence_share", "area"}
    (answer,) = project.load("new_video_answers")
    assert {seen["name"] for seen in answer["objects"]} <= set(project.load("segmented_class_embeddings").index)


def test_single_stages_in_several_processes_save_the_same_bytes_as_one_run(project):
    files = project.files()
    project.forget()

    for stage in STAGES:
        project.run(stage, params=LOKY)

    again = project.files()
    ledger = "08_reporting/node_ledger.json"
    assert json.loads(again.pop(ledger)).keys() == json.loads(files.pop(ledger)).keys()
    assert again.keys() == files.keys()
    assert [place for place in files if again[place] != files[place]] == []


@pytest.mark.parametrize("kept", [["things/clip-001.mp4"], ["things/clip-001.mp4", "space/clip-001.mp4"]])
def test_a_corpus_of_one_or_two_videos_runs_through_all_stages(project, kept):
    for video in project.videos.rglob("*.mp4"):
        if video.relative_to(project.videos).as_posix() not in kept:
            video.unlink()

    project.run()

    assert len(project.load("category_predictions")) == len(kept)
    assert len(project.load("recommendations")) == len(kept) * (len(kept) - 1)
    assert project.load("classification_metrics")["accuracy"] is None


def test_a_corpus_without_categories_has_recommendations(project):
    for number, video in enumerate(sorted(project.videos.rglob("*.mp4"))):
        video.rename(project.videos / f"{number}.mp4")

    project.run()

    assert project.load("video_manifest")["category"].isna().all()
    assert len(project.load("recommendations")) == 120


def runs_of(project, name):
    """Return the MLflow runs with this name, in order of their start."""
    use_mlflow_of(project)
    return mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"attributes.run_name = '{name}'",
        order_by=["attributes.start_time ASC"],
        output_format="list",
    )


def use_mlflow_of(project):
    mlflow.set_tracking_uri(f"sqlite:///{project.root}/mlflow.db")
