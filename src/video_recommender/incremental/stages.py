"""The stages of a pipeline: their nodes, their order, and the parameters that they read."""

from graphlib import CycleError, TopologicalSorter
from typing import Final

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

PARAMETER_PREFIX: Final = "params:"


def stage_of(node: Node) -> str:
    """Return the stage of a node, which is its namespace; empty if it has none."""
    return node.namespace or ""


def by_stage(pipeline: Pipeline) -> list[Node]:
    """Order the nodes of a pipeline so that each stage finishes before the next one starts, if that is possible."""
    stages: dict[str, set[str]] = {}
    for node, needed in pipeline.node_dependencies.items():
        stages.setdefault(stage_of(node), set()).update({stage_of(other) for other in needed} - {stage_of(node)})
    try:
        order = list(TopologicalSorter(dict(sorted(stages.items()))).static_order())
    except CycleError:
        return list(pipeline.nodes)
    return sorted(pipeline.nodes, key=lambda node: order.index(stage_of(node)))


def parameter_groups(pipeline: Pipeline) -> set[str]:
    """Return the groups of parameters that a pipeline reads, such as `detection`."""
    names = (name for name in pipeline.inputs() if name.startswith(PARAMETER_PREFIX))
    return {name.removeprefix(PARAMETER_PREFIX).split(".")[0] for name in names}
