"""Registers the pipelines for `kedro run --pipelines=…`."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

ON_DEMAND = ("inference", "off_policy", "transfer_learning")  # not part of `__default__`


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines by name: one per package in `pipelines/`, and `__default__` for `kedro run`."""
    pipelines: dict[str, Pipeline] = find_pipelines(raise_errors=True)
    default = (pipeline for name, pipeline in pipelines.items() if name not in ON_DEMAND)
    return {**pipelines, "__default__": sum(default, start=Pipeline([]))}
