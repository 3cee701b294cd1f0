"""Predictions for a file or a folder of new videos."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from coloured_corpus import ColourNetwork
from coloured_videos import write_video
from pydantic import ValidationError

from video_recommender.advertising.viewers import VideoProjection
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.pipelines.inference.nodes import answer_for_new_videos
from video_recommender.reporting.answer import InferenceOptions
from video_recommender.similarity.recommender import RecommendationOptions


@pytest.fixture
def answers_for(made):
    """Return a function that runs the node with the models of the coloured corpus."""

    def answer(videos, network=made["object_classifier"], viewers=made["viewer_model"], **recommendation):
        return answer_for_new_videos(
            network,
            None,
            None,
            made["object_space"],
            made["video_features"],
            made["category_classifier"],
            made["recommender"],
            viewers,
            made["ad_policy"],
            InferenceOptions(videos=None if videos is None else str(videos)),
            PreprocessingOptions(),
            RecommendationOptions(**recommendation),
        )

    return answer


class SkyFails(ColourNetwork):
    def predict(self, frames):
        predicted = super().predict(frames)
        if predicted.probabilities.mean(axis=0).argmax() == self.class_names.index("sky"):
            raise RuntimeError("sky is not supported")
        return predicted


def test_the_ad_with_the_highest_value_is_returned_only_for_the_object_space_of_the_agent(
    answers_for, made, video_files
) -> None:
    axes = tuple(made["video_points"].columns)
    viewers = replace(made["viewer_model"], projection=VideoProjection(axes, np.eye(len(axes), dtype=np.float32)))

    (answer,) = answers_for(video_files["fruit/clip-00"], viewers=viewers)
    (without,) = answers_for(video_files["fruit/clip-00"])

    assert answer["ad"]["ad_id"] == viewers.ads.ad_ids[0]
    assert without["ad"] is None


def test_a_file_gets_its_objects_category_and_neighbours(answers_for, video_files) -> None:
    (answer,) = answers_for(video_files["fruit/clip-00"], neighbours=2, shared_objects=1)

    assert (answer["status"], answer["error"]) == ("ok", "")
    assert answer["video"] == str(video_files["fruit/clip-00"])
    assert {shown["name"]: shown["frames"] for shown in answer["objects"]} == {"tomato": 3, "lime": 3, "sky": 0}
    assert answer["categories"][0]["category"] == "fruit"
    assert [near["rank"] for near in answer["neighbours"]] == [1, 2]
    assert answer["neighbours"][0]["similarity"] == pytest.approx(1)
    assert "," not in answer["neighbours"][0]["shared_objects"]


def test_a_folder_gets_an_answer_per_video_in_order_of_path_including_unusable_ones(answers_for, tmp_path) -> None:
    write_video(tmp_path / "b" / "lime.mp4", "lime")
    write_video(tmp_path / "c.MP4", "tomato")
    (tmp_path / "a.mp4").write_text("no video")
    (tmp_path / "d.mp4").touch()
    (tmp_path / "notes.txt").write_text("no video either")

    answers = answers_for(tmp_path)

    names = ["a.mp4", "b/lime.mp4", "c.MP4", "d.mp4"]
    assert [answer["video"] for answer in answers] == [str(tmp_path / name) for name in names]
    assert [answer["status"] for answer in answers] == ["unreadable", "ok", "ok", "empty"]
    assert "a.mp4" in answers[0]["error"]
    assert answers[0]["neighbours"] == []


def test_an_unexpected_error_fails_one_video_and_logs_the_traceback(answers_for, tmp_path, caplog) -> None:
    for colour in ("lime", "sky", "tomato"):
        write_video(tmp_path / f"{colour}.mp4", colour)

    with caplog.at_level(logging.ERROR):
        answers = answers_for(tmp_path, SkyFails())

    assert [answer["status"] for answer in answers] == ["ok", "failed", "ok"]
    assert answers[1]["error"] == "RuntimeError: sky is not supported"
    (record,) = caplog.records
    assert "sky.mp4" in record.message
    assert record.exc_info is not None


def test_the_error_for_a_missing_parameter_shows_the_command(answers_for) -> None:
    with pytest.raises(ValueError, match=r"No video is given: .*--params=inference\.videos="):
        answers_for(None)


def test_the_error_for_a_missing_path_names_it(answers_for, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"gone\.mp4 cannot be found"):
        answers_for(tmp_path / "gone.mp4")


def test_the_error_for_a_folder_without_videos_names_the_parameter(answers_for, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("no video")

    with pytest.raises(ValueError, match=r"contains no video .*--params=inference\.videos="):
        answers_for(tmp_path)


def test_the_error_for_a_missing_network_names_the_pipeline_to_run(answers_for, video_files) -> None:
    with pytest.raises(ValueError, match="kedro run --pipelines=detection"):
        answers_for(video_files["fruit/clip-00"], None)


@pytest.mark.parametrize("options", [{"neighbours": 3}, {"vidoes": "a.mp4"}])
def test_the_error_for_an_unknown_option_names_it(options) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        InferenceOptions(**options)
