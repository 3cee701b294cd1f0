"""Create nodes from functions of one partition with `per_partition`, or of previous states with `accumulate`."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

import numpy as np
from kedro.pipeline.node import Node

from video_recommender.storage.partitions import (
    NO_PROPERTIES,
    Partition,
    Partitions,
    PartitionState,
    Property,
    storable,
)

PROPERTIES: Final = "properties"  # field of a result that is stored in the state row instead of in a dataset


def per_partition(
    func: Callable[..., Any],
    inputs: str | Sequence[str],
    outputs: str | Sequence[str],
    name: str,
    tags: str | Iterable[str] | None = None,
) -> Node:
    """Create a node that maps a function over the partitions of its first input.

    `IncrementalRunner` processes the stale partitions in parallel. Other Kedro runners process every partition.

    Args:
        func: picklable; takes the value of one partition, then the other inputs, which are passed whole. Returns the
            value of the output partition. For several outputs: a tuple, or a dataclass with one field per output, in
            order. The field `properties` of a dataclass, a mapping to strings, numbers and booleans, is stored in the
            state row. An exception with a string attribute `status` is an expected problem; any other is a bug.
        inputs: names of datasets. The first is a `StatefulPartitionedDataset`, or a mapping in memory, whose values can
            have an attribute `properties`, which is stored in the state row, even if processing fails.
        outputs: names of one or more `StatefulPartitionedDataset`s.
        name: name of the node.
        tags: tags of the node.
    """
    inputs = [inputs] if isinstance(inputs, str) else list(inputs)
    outputs_list = [outputs] if isinstance(outputs, str) else list(outputs)

    @functools.wraps(func)  # Kedro reads the parameter types of the wrapped function
    def every_partition(partitions: Mapping[str, Any], *broadcast: Any) -> Iterator[Any]:
        call = PartitionCall(func, broadcast, len(outputs_list))
        for key, value in partitions.items():
            loaded = value() if isinstance(partitions, Partitions) else value
            results = call.attempt(loaded, known_properties(partitions, key))
            yield {key: results[0]} if isinstance(outputs, str) else tuple({key: result} for result in results)

    every_partition.per_partition = func  # type: ignore[attr-defined]  # an attribute survives copies of the node
    return Node(every_partition, inputs, outputs if isinstance(outputs, str) else outputs_list, name=name, tags=tags)


def accumulate(
    func: Callable[..., Iterator[Mapping[str, Any]]],
    inputs: str | Sequence[str],
    outputs: str,
    name: str,
    tags: str | Iterable[str] | None = None,
) -> Node:
    """Create a node that adds partitions to its output, such as downloads.

    Args:
        func: takes the states of the output's partitions by key, then the inputs. Yields updates: by key, a value, a
            `Partition`, or None to delete. With other Kedro runners, the states are empty.
        inputs: names of datasets.
        outputs: name of a `StatefulPartitionedDataset`.
        name: name of the node.
        tags: tags of the node.
    """

    @functools.wraps(func)
    def from_nothing(*values: Any) -> Iterator[Mapping[str, Any]]:
        yield from func({}, *values)

    signature = inspect.signature(func)
    parameters = list(signature.parameters.values())[1:]
    from_nothing.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    from_nothing.accumulates = func  # type: ignore[attr-defined]
    return Node(from_nothing, [inputs] if isinstance(inputs, str) else list(inputs), outputs, name=name, tags=tags)


def known_properties(partitions: Mapping[str, Any], key: str) -> Mapping[str, Property]:
    """Return the attribute `properties` of a value of a mapping in memory; empty for partitioned datasets."""
    if isinstance(partitions, Partitions):
        return NO_PROPERTIES
    return plain_properties(getattr(partitions[key], PROPERTIES, NO_PROPERTIES))


def plain_properties(properties: Mapping[str, Any]) -> Mapping[str, Property]:
    """Convert properties to types that a state row can store.

    Raises:
        TypeError: if a property is not a string, a number, a boolean or None.
    """
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in properties.items()}
    for name, value in plain.items():
        if not isinstance(value, Property):
            raise TypeError(f"The property {name} is a {type(value).__name__}: use a string, a number or a boolean")
    return {name: storable(value) if isinstance(value, str) else value for name, value in plain.items()}


@dataclass(frozen=True)
class PartitionCall:
    """A node function with its broadcast inputs. It can be pickled.

    Attributes:
        func: function of one partition.
        broadcast: inputs that are passed whole.
        outputs: number of output datasets.
    """

    func: Callable[..., Any]
    broadcast: tuple[Any, ...]
    outputs: int

    def __call__(self, value: Any) -> tuple[tuple[Any, ...], Mapping[str, Property]]:
        """Process one partition; return the value for each output, and the properties."""
        return split_result(self.func(value, *self.broadcast), self.outputs)

    def attempt(self, value: Any, known: Mapping[str, Property]) -> tuple[Partition[Any], ...]:
        """Process one partition; an expected problem becomes its state, with the known properties."""
        try:
            values, properties = self(value)
        except Exception as error:
            state = expected_problem(error)
            if state is None:
                raise
            return (Partition(state._replace(properties=known)),) * self.outputs
        return tuple(Partition(PartitionState(properties={**known, **properties}), value) for value in values)


def split_result(result: Any, outputs: int) -> tuple[tuple[Any, ...], Mapping[str, Property]]:
    """Split the result of a node function into the value for each output, and the properties.

    Raises:
        ValueError: if the number of values differs from the number of outputs.
        TypeError: if the node has several outputs and the result is not a tuple or dataclass.
    """
    properties: Mapping[str, Property] = NO_PROPERTIES
    is_record = is_dataclass(result) and not isinstance(result, type)
    if is_record and hasattr(result, PROPERTIES):
        properties = plain_properties(result.properties)
        values = tuple(getattr(result, field.name) for field in fields(result) if field.name != PROPERTIES)
    elif outputs == 1:
        values = (result,)
    elif is_record:
        values = tuple(getattr(result, field.name) for field in fields(result))
    elif isinstance(result, tuple | list):
        values = tuple(result)
    else:
        raise TypeError(f"The node function returned a {type(result).__name__}, not a tuple of {outputs} values")
    if len(values) != outputs:
        raise ValueError(f"The node function returned {len(values)} values for {outputs} outputs")
    return values, properties


def expected_problem(error: Exception) -> PartitionState | None:
    """Convert an exception with a string attribute `status` to a state; None for any other exception."""
    status = getattr(error, "status", None)
    if not isinstance(status, str):
        return None
    return PartitionState(status=status, error=storable(str(error)), retry=bool(getattr(error, "retry", False)))
