"""Messages for parameters that are unknown or out of range."""

from typing import Literal

import pytest
from kedro.pipeline import Node, Pipeline
from kedro.validation import ParameterValidationError
from pydantic import BaseModel, ConfigDict, PositiveInt, field_validator

from video_recommender.hooks import ParameterHooks, parameter_problems


class FolderOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = "videos"


class SourceOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: Literal["demo", "folder"] = "demo"
    folder: FolderOptions = FolderOptions()


class FrameOptions(BaseModel):
    size: PositiveInt = 224
    rate: int = 1

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: int) -> int:
        if rate > 60:
            raise ValueError("Use at most 60 frames per second")
        return rate


def sample_frames(source: SourceOptions, frames: FrameOptions | None) -> str:
    return f"{source} {frames}"


PIPELINE = Pipeline([Node(sample_frames, ["params:source", "params:stages.frames"], "frames")])


def problems_of(**parameters: object) -> list[str]:
    return list(parameter_problems(parameters, {"__default__": PIPELINE}))


def test_each_invalid_parameter_is_reported_on_one_line_with_its_full_name() -> None:
    source = {"sorce": "folder", "folder": {"paht": 2}, "source": "unknown"}

    assert sorted(problems_of(source=source, stages={"frames": {"size": -1, "rate": 100}})) == [
        "source.source cannot be 'unknown': input should be 'demo' or 'folder'",
        "stages.frames.rate cannot be 100: use at most 60 frames per second",
        "stages.frames.size cannot be -1: input should be greater than 0",
        "unknown parameter source.folder.paht",
        "unknown parameter source.sorce",
    ]


def test_a_long_value_is_shortened() -> None:
    (problem,) = problems_of(source={"source": "unknown " * 100}, stages={"frames": {}})

    assert len(problem) < 200


def test_a_missing_group_is_reported() -> None:
    assert problems_of(source={}, stages={}) == ["stages.frames is missing"]


def test_valid_parameters_have_no_problems() -> None:
    assert problems_of(source={}, stages={"frames": None}) == []


class RejectedContext:
    """A Kedro context whose parameters Kedro rejects."""

    def __init__(self, parameters: dict) -> None:
        self.config_loader = {"parameters": parameters}

    @property
    def params(self) -> dict:
        raise ParameterValidationError("message of Kedro")


@pytest.mark.parametrize(
    ("size", "message"),
    [(0, r"^Invalid parameters: stages.frames.size cannot be 0: .*conf/base"), (1, r"^message of Kedro$")],
)
def test_the_hook_describes_each_problem_and_otherwise_raises_the_error_of_kedro(monkeypatch, size, message) -> None:
    monkeypatch.setattr("video_recommender.hooks.pipelines", {"__default__": PIPELINE})
    context = RejectedContext({"source": {}, "stages": {"frames": {"size": size}}})

    with pytest.raises(ParameterValidationError, match=message):
        ParameterHooks().after_context_created(context)
