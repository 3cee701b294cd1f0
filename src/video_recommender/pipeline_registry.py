"""Every pipeline that `kedro run --pipelines=…` knows."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

ON_DEMAND = ("addition", "inference", "transfer_learning")
"""Pipelines that run only when they are named, and so are no part of the whole."""


def register_pipelines() -> dict[str, Pipeline]:
    """Find the pipelines, one per package under `pipelines/`, and join them into the whole.

    Returns:
        The pipelines by name; `__default__` is what `kedro run` runs.
    """
    pipelines: dict[str, Pipeline] = find_pipelines(raise_errors=True)
    whole = (pipeline for name, pipeline in pipelines.items() if name not in ON_DEMAND)
    return {**pipelines, "__default__": sum(whole, start=Pipeline([]))}
