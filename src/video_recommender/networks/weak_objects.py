"""Which objects of a video to believe: those seen well, and those seen weakly where the same is seen well soon.

Two thresholds, as in Canny's edges (1986): what passes the upper one counts, and what passes only the lower one counts
if it continues what counts, frame by frame (hysteresis). So a dog that turns away for a moment stays a dog.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.networks.found_objects import FoundObjects
from video_recommender.networks.repeated_boxes import nesting, overlap

SAME_OBJECT_OVERLAP: Final = 0.3
"""In two frames in a row, boxes of one class with a greater intersection over union show the same object."""


NESTED: Final = 0.7
"""Of two boxes of one class of which the smaller lies so far in the larger, a doubtful one shows the other's object."""

CERTAIN: Final = 0.5
"""Who is so certain is nobody's double: people stand in front of each other."""


def believe_objects(
    frames: Sequence[FoundObjects], strong: Mapping[int, float], weak_share: float
) -> list[NDArray[np.bool_]]:
    """Tell which objects are worth believing.

    Args:
        frames: what was found in each frame, in order of time, the most certain objects first.
        strong: by class, the score from which an object is believed by itself; classes without one are never.
        weak_share: an object that continues a believed one needs this share of that score; 1 looks at each frame alone.

    Returns:
        For each frame: bool, shape (objects,).
    """
    limits = [np.array([strong.get(int(number), np.inf) for number in found.class_ids]) for found in frames]
    believed = [found.scores >= limit for found, limit in zip(frames, limits, strict=True)]
    possible = [found.scores >= weak_share * limit for found, limit in zip(frames, limits, strict=True)]
    for order in (range(1, len(frames)), range(len(frames) - 2, -1, -1)):
        for here in order:
            before = here - order.step
            continues = _same_object(frames[here], frames[before].select(believed[before])).any(axis=1)
            repeats = _same_object(frames[here], frames[here].select(believed[here])).any(axis=1)
            believed[here] = believed[here] | _first_of_each(frames[here], possible[here] & continues & ~repeats)
    return [_without_nested(found, kept) for found, kept in zip(frames, believed, strict=True)]


def _without_nested(found: FoundObjects, believed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Disbelieve what is doubtful and lies, for the most part, in or around a more certain object of its class."""
    rows = np.flatnonzero(believed)
    chosen = found.select(rows)
    same_class = chosen.class_ids[:, np.newaxis] == chosen.class_ids
    is_nested = np.triu(same_class & (nesting(chosen.boxes, chosen.boxes) >= NESTED), k=1).any(axis=0)
    return np.isin(np.arange(len(found)), rows[~is_nested | (chosen.scores >= CERTAIN)])


def _first_of_each(found: FoundObjects, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of the chosen objects that show the same, the most certain one."""
    rows = np.flatnonzero(chosen)
    is_same = _same_object(found.select(rows), found.select(rows))
    is_first = ~np.triu(is_same, k=1).any(axis=0)
    return np.isin(np.arange(len(found)), rows[is_first])


def _same_object(here: FoundObjects, there: FoundObjects) -> NDArray[np.bool_]:
    """Whether each object of one frame is each object of another one: shape (here, there)."""
    same_class = here.class_ids[:, np.newaxis] == there.class_ids
    is_same = same_class & (overlap(here.boxes, there.boxes) >= SAME_OBJECT_OVERLAP)
    return np.asarray(is_same, bool)
