import errno

import pytest
from kedro.pipeline import Node, Pipeline
from kedro.validation import ParameterValidationError
from kedro.validation.parameter_validator import ParameterValidator

from video_recommender.cli_errors import full_node_names, in_a_sentence, refused_parameters
from video_recommender.media.sampling import PreprocessingOptions
from video_recommender.pipelines.ingestion.nodes import IngestionOptions


def cut_frames(ingestion: IngestionOptions, preprocessing: PreprocessingOptions) -> str:
    return f"{ingestion} {preprocessing}"


PIPELINE = Pipeline(
    [Node(cut_frames, ["params:ingestion", "params:preprocessing"], "frames", name="cut_frames")],
    namespace="preprocessing",
    prefix_datasets_with_namespace=False,
)


def refused(**parameters: object) -> str:
    with pytest.raises(ParameterValidationError) as caught:
        ParameterValidator({"__default__": PIPELINE}).validate_raw_params(parameters)
    return refused_parameters(caught.value)


def test_each_refused_parameter_is_named_in_full_with_the_reason_on_one_line() -> None:
    told = refused(ingestion={"sorce": "folder", "folder": {"paht": 2}, "source": "moon"}, preprocessing={"size": -1})

    assert "There is no parameter ingestion.sorce" in told
    assert "There is no parameter ingestion.folder.paht" in told
    assert "ingestion.source cannot be 'moon': input should be 'demo'" in told
    assert "preprocessing.size cannot be -1: " in told
    assert "\n" not in told
    assert "pydantic" not in told


def test_an_error_of_another_form_is_told_in_kedros_own_words() -> None:
    assert refused_parameters(ParameterValidationError("something new")) == "something new"


@pytest.mark.parametrize("name", ["cut_frames", "preprocessing.cut_frames"])
def test_a_node_may_be_called_without_its_stage(name: str) -> None:
    assert list(full_node_names([name], PIPELINE)) == ["preprocessing.cut_frames"]


def test_an_unknown_node_is_refused_with_the_names_that_are_spelt_alike() -> None:
    with pytest.raises(ValueError, match="no node cut_frmes: did you mean cut_frames"):
        list(full_node_names(["cut_frmes"], PIPELINE))


def test_a_full_disk_is_told_with_the_way_out_wherever_the_error_came_from() -> None:
    error = RuntimeError("Failed while saving\nframes")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")

    told = in_a_sentence(error)

    assert told.startswith("The disk is full (Failed while saving frames): make room")
    assert "\n" not in told


def test_any_other_error_keeps_its_words() -> None:
    assert in_a_sentence(ValueError("The folder is empty")) == "The folder is empty"
