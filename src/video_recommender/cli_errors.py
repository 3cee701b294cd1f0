"""What a user asked for and cannot get, in a sentence that names it and the way out."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from kedro.pipeline import Pipeline
from kedro.validation import ParameterValidationError

from video_recommender.storage.paths import is_disk_full

_GROUP: Final = re.compile(r"^- Parameter '(?P<group>[^']+)': (?P<problems>.*?)(?=^- Parameter |\Z)", re.M | re.S)
_PROBLEM: Final = re.compile(
    r"^(?P<name>\S.*)\n  (?P<message>.+?) \[type=(?P<type>\w+), input_value=(?P<given>.*), input_type=\w+\]$", re.M
)


def refused_parameters(error: ParameterValidationError) -> str:
    """Say which parameters are refused and why.

    Args:
        error: what Kedro raises; it holds what pydantic says, in pydantic's own layout.

    Returns:
        A sentence per parameter and where all are listed; Kedro's own words where they are of another form.
    """
    told = [
        _refused(f"{group['group']}.{problem['name']}", problem)
        for group in _GROUP.finditer(str(error))
        for problem in _PROBLEM.finditer(group["problems"])
    ]
    if not told:
        return str(error)
    return f"{'. '.join(told)}. All parameters are listed in conf/base/parameters_….yml"


def _refused(name: str, problem: re.Match[str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"There is no parameter {name}"
    said = problem["message"].removeprefix("Value error, ")
    return f"{name} cannot be {problem['given']}: {said[0].lower()}{said[1:]}"


def in_a_sentence(error: Exception) -> str:
    """Say what went wrong on one line; where the disk is full, also what to do.

    Args:
        error: what has stopped the run.
    """
    if is_disk_full(error):
        told = " ".join(str(error).split())
        return (
            f"The disk is full ({told}): make room, or name a folder on another disk as `data` in "
            "conf/local/globals.yml. Then run again: what is complete has been kept"
        )
    return str(error)


def full_node_names(asked: Sequence[str], pipeline: Pipeline) -> Iterator[str]:
    """Add its stage to the name of a node where it is left out, as in `detect_objects`.

    Args:
        asked: names with or without their stage.
        pipeline: what there is.

    Yields:
        Each name in full.

    Raises:
        ValueError: if there is no such node; the message names those that are spelt alike.
    """
    full = {name: node.name for node in pipeline.nodes for name in (node.short_name, node.name)}
    for name in asked:
        if name not in full:
            alike = get_close_matches(name, [node.short_name for node in pipeline.nodes], n=2)
            hint = f"did you mean {' or '.join(alike)}?" if alike else "`kedro registry describe` lists all"
            raise ValueError(f"There is no node {name}: {hint}")
        yield full[name]
