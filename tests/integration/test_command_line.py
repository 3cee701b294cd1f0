"""The command `kedro run`: single stages, results for new videos, and errors without tracebacks."""

import shutil

import pytest
from click.testing import CliRunner
from kedro.validation import ParameterValidationError

from video_recommender.cli import cli


def kedro_run(*arguments):
    """Call the project's `kedro run` in this process."""
    return CliRunner().invoke(cli, ["run", *arguments])


def test_stages_run_alone_if_the_earlier_stages_have_run(project):
    shutil.move(project.data / "03_primary/ads.parquet", project.root)  # made by a later stage
    files = project.files()
    shutil.rmtree(project.data / "03_primary")

    result = kedro_run("--pipelines=deduplication,detection,segmentation")

    assert result.exit_code == 0, result.output
    assert project.files() == files


@pytest.mark.parametrize("option", ["--pipelines", "--pipeline"])
@pytest.mark.parametrize(
    ("stage", "missing", "creators"),
    [
        ("preprocessing", "video_manifest", ["ingestion"]),
        ("detection", "frames", ["preprocessing"]),
        ("classification", "video_points", ["feature_engineering"]),
        ("inference", "recommender", ["recommendation"]),
    ],
)
def test_a_stage_without_its_input_reports_which_pipelines_to_run_first(project, option, stage, missing, creators):
    project.forget()

    result = kedro_run(f"{option}={stage}")

    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert missing in result.output
    (advice,) = [word for word in result.output.replace("`", " ").split() if word.startswith("--pipelines=")]
    assert set(creators) <= set(advice.removeprefix("--pipelines=").split(","))


def test_the_command_in_a_new_process_reports_a_missing_input_without_a_traceback(project):
    project.forget()

    process = project.start("--pipelines=detection")
    output, _ = process.communicate()

    assert process.returncode == 1
    assert "kedro run --pipelines=" in " ".join(output.split())
    assert "Traceback" not in output


def test_a_new_video_has_objects_categories_and_neighbours(project, clips):
    files = project.files()

    result = kedro_run("--pipelines=inference", f"--params=inference.videos={clips / 'animals/clip-001.mp4'}")

    assert result.exit_code == 0, result.output
    (answer,) = project.load("new_video_answers")
    assert answer["objects"]
    assert sum(category["probability"] for category in answer["categories"]) == pytest.approx(1)
    assert {category["category"] for category in answer["categories"]} == {"space", "textures", "things"}
    assert [neighbour["rank"] for neighbour in answer["neighbours"]] == list(range(1, 11))
    assert all(-1.0001 <= neighbour["similarity"] <= 1.0001 for neighbour in answer["neighbours"])
    assert answer["neighbours"][0]["shared_objects"]
    changed_files = {place for place, content in project.files().items() if files.get(place) != content}
    assert all(place.startswith("08_reporting/") for place in changed_files)


def test_a_copy_of_a_video_of_the_corpus_has_that_video_as_its_nearest_neighbour(project, tmp_path):
    shutil.copy(project.videos / "things/clip-001.mp4", tmp_path / "again.mp4")

    videos = {"inference": {"videos": str(tmp_path / "again.mp4")}}
    project.run("inference", params={**videos, "recommendation": {"neighbours": 2}})

    (answer,) = project.load("new_video_answers")
    nearest, second = answer["neighbours"]
    assert nearest["video_id"] == "things/clip-001"
    assert nearest["similarity"] == pytest.approx(1, abs=1e-5)
    assert second["similarity"] <= nearest["similarity"]


def test_a_new_file_at_the_same_path_has_a_new_result(project, clips, tmp_path):
    video = tmp_path / "new.mp4"
    answers = []
    for clip in ("animals/clip-001.mp4", "animals/clip-002.mp4"):
        shutil.copy(clips / clip, video)
        project.run("inference", params={"inference": {"videos": str(video)}})
        answers += project.load("new_video_answers")

    assert answers[0]["objects"] != answers[1]["objects"]


def test_each_video_of_a_folder_has_a_result_and_the_corpus_is_unchanged(project, clips, tmp_path):
    files = project.files()
    shutil.copytree(clips / "animals", tmp_path / "new/animals")
    (tmp_path / "new/text.mp4").write_text("not a video")
    names = sorted(str(file) for file in (tmp_path / "new").rglob("*.mp4"))

    result = kedro_run("--pipelines=inference", f"--params=inference.videos={tmp_path / 'new'}")

    assert result.exit_code == 0, result.output
    answers = project.load("new_video_answers")
    assert [answer["video"] for answer in answers] == names
    assert {answer["status"] for answer in answers[:-1]} == {"ok"}
    assert answers[-1]["status"] == "unreadable"
    words = " ".join(result.output.split())
    assert words.count("most similar") == len(names) - 1
    assert "text.mp4 not usable (unreadable)" in words
    changed = {path for path, content in project.files().items() if files.get(path) != content}
    assert all(path.startswith("08_reporting/") for path in changed)


@pytest.mark.parametrize(("video", "sentence"), [(None, "No video is given"), ("gone.mp4", "gone.mp4 cannot be found")])
def test_a_missing_new_video_is_reported_without_a_traceback(project, tmp_path, video, sentence):
    result = kedro_run("--pipelines=inference", *([f"--params=inference.videos={tmp_path / video}"] if video else []))

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert sentence in " ".join(result.output.split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"preprocessing": {"sise": 128}}, "sise"),
        ({"preprocessing": {"size": -1}}, "size"),
        ({"recommendation": {"neighbours": 0}}, "neighbours"),
        ({"classification": {"candidates": ["unknown"]}}, "candidates"),
        ({"feature_engineering": {"importance": "unknown_formula"}}, "importance"),
        ({"ingestion": {"folder": {"paht": "videos"}}}, "paht"),
        ({"workers": {"backend": "unknown"}}, "backend"),
    ],
)
def test_an_invalid_parameter_is_rejected_with_its_name_before_the_run(project, params, name):
    partitions = project.partitions()
    shutil.rmtree(project.data / "03_primary")

    with pytest.raises(ParameterValidationError, match=name):
        project.run(params=params)

    assert not (project.data / "03_primary").exists()
    assert {dataset: project.partitions()[dataset] for dataset in ("videos", "frames")} == {
        dataset: partitions[dataset] for dataset in ("videos", "frames")
    }


def test_an_invalid_parameter_is_reported_without_a_traceback(project):
    result = kedro_run("--params=preprocessing.size=-1")

    assert result.exit_code == 1
    assert "size" in result.output
    assert "Traceback" not in result.output


def test_an_unknown_parameter_group_is_rejected(project):
    result = kedro_run("--params=preprocesing.size=128")

    assert result.exit_code != 0
    assert "preprocesing" in result.output


def test_an_unknown_pipeline_is_rejected(project):
    result = kedro_run("--pipelines=detektion")

    assert result.exit_code == 1
    assert "detektion" in result.output
    assert "Traceback" not in result.output


def test_the_summary_lists_outputs_and_failed_videos_with_their_errors(project):
    (project.videos / "things/empty.mp4").touch()

    result = kedro_run()

    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "12 of 13 videos succeeded" in words
    assert "things/empty (empty)" in words
    assert "recommendations" in words
