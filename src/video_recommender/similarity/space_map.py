"""Object space flattened to two dimensions, to be looked at."""

from typing import Final

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from video_recommender.schemas import SpaceMap

FEWEST_VIDEOS: Final = 4
VIDEOS_PER_NEIGHBOUR: Final = 3
"""A map cannot heed more neighbours than a third of its videos: beyond, all lie near all."""


def flatten_space(points: pd.DataFrame, perplexity: float = 30.0, seed: int = 0) -> DataFrame[SpaceMap]:
    """Put videos on a map on which those that are near by cosine stay near, as well as they can.

    This is t-SNE (van der Maaten and Hinton 2008), which begins with the two axes on which videos differ most, so that
    the large features of the map mean something too (Kobak and Berens 2019, doi:10.1038/s41467-019-13056-x).

    Args:
        points: index `video_id`, a column per axis: `VideoPoints`, or any other vectors of the videos.
        perplexity: how many neighbours each video heeds, at most a third of the others.
        seed: where chance begins: the same seed and points give the same map on the same machine.

    Returns:
        Index as that of the points.

    Raises:
        ValueError: if there are fewer than four videos.
    """
    if len(points) < FEWEST_VIDEOS:
        raise ValueError(f"A map needs {FEWEST_VIDEOS} videos, and there are {len(points)}: add more")
    heeded = min(perplexity, (len(points) - 1) / VIDEOS_PER_NEIGHBOUR)
    t_sne = TSNE(perplexity=heeded, metric="cosine", init="pca", random_state=seed)
    with threadpool_limits(1, "openmp"):  # a thousand short turns: threads that share a core mostly wait for each other
        flat = t_sne.fit_transform(points.to_numpy(np.float32))
    return SpaceMap.validate(pd.DataFrame(flat, index=points.index, columns=["x", "y"]))
