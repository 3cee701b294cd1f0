"""The stages of a pipeline: which nodes belong together, in which order, and which parameters they read."""

from functools import partial
from graphlib import CycleError, TopologicalSorter

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

PARAMETER_PREFIX = "params:"


def stage_of(node: Node) -> str:
    """The pipeline package that a node's function is from, such as `detection`."""
    return ("", *module_of(node).split("."))[-2]


def by_stage(pipeline: Pipeline) -> list[Node]:
    """Order a pipeline's nodes so that a stage is finished before the next begins, where that is possible."""
    stages: dict[str, set[str]] = {}
    for node, needed in pipeline.node_dependencies.items():
        stages.setdefault(stage_of(node), set()).update({stage_of(other) for other in needed} - {stage_of(node)})
    try:
        order = list(TopologicalSorter(dict(sorted(stages.items()))).static_order())
    except CycleError:
        return list(pipeline.nodes)
    return sorted(pipeline.nodes, key=lambda node: order.index(stage_of(node)))


def module_of(node: Node) -> str:
    """The module that a node's function is from."""
    function = node.func.func if isinstance(node.func, partial) else node.func
    return str(function.__module__)


def parameter_groups(pipeline: Pipeline) -> set[str]:
    """The groups of parameters that a pipeline reads, such as `detection`."""
    names = (name for name in pipeline.inputs() if name.startswith(PARAMETER_PREFIX))
    return {name.removeprefix(PARAMETER_PREFIX).split(".")[0] for name in names}
