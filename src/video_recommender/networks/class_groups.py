"""A new list of classes for a detector: those of its own that belong together get one name, others are left out."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from sklearn.preprocessing import normalize

from video_recommender.schemas import ClassEmbeddings

Groups = Mapping[str, tuple[str, ...]]
"""By the new name, the detector's own names."""


def rename_classes(class_names: Mapping[int, str], groups: Groups, *, keep_others: bool) -> Mapping[int, str]:
    """Give the detector's classes the names of their groups.

    Args:
        class_names: the detector's own, by number.
        groups: see `Groups`.
        keep_others: whether classes of no group keep their own name; else they are left out.

    Raises:
        ValueError: if a group names a class that the detector does not know, or two groups name the same.
    """
    group_of = [(name, group) for group, names in groups.items() for name in names]
    unknown = sorted({name for name, _ in group_of} - set(class_names.values()))
    if unknown:
        raise ValueError(f"segmentation.groups names {', '.join(unknown)}, which the model does not know")
    repeated = sorted({name for name, _ in group_of if [named for named, _ in group_of].count(name) > 1})
    if repeated:
        raise ValueError(f"segmentation.groups names {', '.join(repeated)} more than once")
    renamed = dict(group_of)
    return {number: renamed.get(name, name) for number, name in class_names.items() if keep_others or name in renamed}


def embed_classes(
    own_names: Mapping[int, str], embeddings: NDArray[np.float32], class_names: Mapping[int, str]
) -> DataFrame[ClassEmbeddings]:
    """Tell how classes resemble each other, a group being like the mean of its members.

    Args:
        own_names: the detector's own names, by number.
        embeddings: shape (classes, features), in the same order.
        class_names: what to call them, as from `rename_classes`.

    Returns:
        float32, a row per name (index `class_name`), in order of the numbers.
    """
    names = pd.Series(own_names).index.map(class_names.get)
    rows = pd.DataFrame(normalize(embeddings), index=pd.Index(names, name="class_name"))
    means = rows[rows.index.notna()].groupby(level=0, sort=False).mean().astype(np.float32)
    return ClassEmbeddings.validate(means.rename(columns=lambda column: f"feature_{column + 1}"))
