"""Classes of object detectors: COCO's, label maps, and groups of classes under a new name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from sklearn.preprocessing import normalize

from video_recommender.networks.pretrained import class_embeddings
from video_recommender.schemas import ClassEmbeddings

_COCO: Final = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, , stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, , backpack, umbrella, , ,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, , wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, , dining table, , , toilet, , tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, , book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""

COCO_CLASSES: Final[Mapping[int, str]] = {
    number: name for number, name in enumerate(map(str.strip, _COCO.split(",")), start=1) if name
}
"""The 80 classes of COCO (Lin et al. 2014, https://arxiv.org/abs/1405.0312), numbered 1 to 90 with ten gaps."""

COCO_THRESHOLDS: Final[Mapping[str, float]] = {
    "person": 0.35,
    "bicycle": 0.15,
    "motorcycle": 0.2,
    "bench": 0.2,
    "cat": 0.35,
    "dog": 0.2,
    "bottle": 0.15,
    "cup": 0.15,
    "spoon": 0.15,
    "bowl": 0.1,
    "chair": 0.15,
    "couch": 0.15,
    "potted plant": 0.1,
    "bed": 0.4,
    "dining table": 0.1,
    "tv": 0.1,
    "laptop": 0.15,
    "oven": 0.1,
    "sink": 0.2,
    "book": 0.1,
    "vase": 0.1,
}
"""Confidence thresholds of SSD MobileNet v2 that maximise F1 on 64 labelled photos, for the classes in them; shrunk
towards the mean of all classes where labels are few (benchmarks/segmentation_quality.py)."""

_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
_ITEM: Final = re.compile(r"item\s*:?\s*\{(.*?)\}", re.DOTALL)
_NUMBER: Final = re.compile(r"\bid\s*:\s*(\d+)")
_DISPLAY_NAME: Final = re.compile(r"\bdisplay_name\s*:\s*([\"'])(.*?)\1")
_NAME: Final = re.compile(r"\bname\s*:\s*([\"'])(.*?)\1")


def read_label_map(file: Path) -> Mapping[int, str]:
    """Read a label map of the TensorFlow Object Detection API (`*.pbtxt`).

    Args:
        file: text with items such as `item { id: 1 name: 'person' }`; a `display_name` takes precedence over `name`.

    Raises:
        ValueError: if the file cannot be read, or contains no class.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The label map {file} cannot be read ({error}): give the path of a .pbtxt file") from error
    items = _ITEM.findall(_COMMENT.sub("", text))
    parsed = [(_NUMBER.search(item), _DISPLAY_NAME.search(item) or _NAME.search(item)) for item in items]
    names = {int(number[1]): name[2] for number, name in parsed if number and name}
    if not names:
        raise ValueError(f"The label map {file} contains no class: add items such as item {{ id: 1 name: 'cat' }}")
    return names


def group_classes(
    class_names: Mapping[int, str], groups: Mapping[str, tuple[str, ...]], *, keep_others: bool
) -> Mapping[int, str]:
    """Replace the names of a detector's classes by the names of their groups.

    Args:
        class_names: the detector's names by number.
        groups: the detector's names by group name.
        keep_others: whether classes in no group keep their name; otherwise they are dropped.

    Raises:
        ValueError: if a group contains an unknown class, or a class is in two groups.
    """
    group_of = [(name, group) for group, names in groups.items() for name in names]
    unknown = sorted({name for name, _ in group_of} - set(class_names.values()))
    if unknown:
        raise ValueError(f"segmentation.groups contains {', '.join(unknown)}, which the model does not know")
    repeated = sorted({name for name, _ in group_of if [member for member, _ in group_of].count(name) > 1})
    if repeated:
        raise ValueError(f"segmentation.groups contains {', '.join(repeated)} more than once")
    renamed = dict(group_of)
    return {number: renamed.get(name, name) for number, name in class_names.items() if keep_others or name in renamed}


def group_embeddings(
    detector_names: Mapping[int, str], embeddings: NDArray[np.float32], class_names: Mapping[int, str]
) -> DataFrame[ClassEmbeddings]:
    """Average the normalised class embeddings of each group.

    Args:
        detector_names: the detector's names by number.
        embeddings: shape (classes, features), in the same order.
        class_names: the names to use by number, as from `group_classes`.

    Returns:
        A row per name, in order of the numbers.
    """
    names = pd.Series(detector_names).index.map(class_names.get)
    rows = pd.DataFrame(normalize(embeddings), index=names)
    means = rows[rows.index.notna()].groupby(level=0, sort=False).mean()
    return class_embeddings(means.to_numpy(np.float32), list(means.index))
