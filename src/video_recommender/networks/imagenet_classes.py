"""The names of the 1000 ImageNet classes."""

import functools
from importlib.resources import files


@functools.cache
def imagenet_class_names() -> tuple[str, ...]:
    """Read the names of the classes of ILSVRC 2012 (Russakovsky et al. 2015).

    Returns:
        1000 English names, singular, unique, without commas, in the order of the networks' outputs.
    """
    lines = files(__package__).joinpath("imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))
