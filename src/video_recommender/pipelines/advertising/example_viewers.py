"""Viewers of made-up videos, for a first try, for tests and for measurements: no corpus is needed."""

import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from video_recommender.pipelines.advertising.ad_table import check_ads
from video_recommender.pipelines.advertising.ads import AdInventory
from video_recommender.pipelines.advertising.viewer_model import ViewerModel, ViewerOptions
from video_recommender.schemas import Ads

SPREAD = 0.1
"""How far videos of one category lie apart, on each axis; categories lie about 1.4 apart."""


def assignment_ads() -> DataFrame[Ads]:
    """The example of the assignment: cats, car races and concerts, each with a long and a short ad.

    Before a car race both ads earn the same on average, 0.8.
    """
    return check_ads(
        pd.DataFrame(
            [
                ("cats-long", "cats", "long", 30, 0.3, 3),
                ("cats-short", "cats", "short", 10, 0.7, 1),
                ("car-races-long", "car races", "long", 30, 0.4, 2),
                ("car-races-short", "car races", "short", 10, 0.8, 1),
                ("concerts-long", "concerts", "long", 30, 0.5, 2),
                ("concerts-short", "concerts", "short", 10, 0.9, 1),
            ],
            columns=["ad_id", "category", "kind", "seconds", "watch_probability", "reward"],
        )
    )


def example_viewers(
    ads: DataFrame[Ads] | None = None,
    options: ViewerOptions | None = None,
    videos_per_category: int = 30,
    axes: int = 16,
    neighbours: int = 10,
    seed: int = 0,
) -> ViewerModel:
    """Make up viewers and videos, of which those of one category lie near each other.

    Args:
        ads: what can be shown; there are videos of each of their categories. None: the example of the assignment.
        options: how viewers take ads; None: as usual.
        videos_per_category: how many videos each category has.
        axes: on how many axes videos are described; at least as many as there are categories.
        neighbours: how many videos are recommended with each: the nearest by cosine.
        seed: where chance begins.

    Returns:
        See `ViewerModel`.
    """
    inventory = AdInventory.from_table(assignment_ads() if ads is None else ads)
    categories = tuple(dict.fromkeys(inventory.categories))
    of_video = np.repeat(np.arange(len(categories)), videos_per_category)
    spread = np.random.default_rng(seed).normal(0, SPREAD, (len(of_video), axes))
    points = normalize(np.eye(len(categories), axes)[of_video] + spread)
    k = min(neighbours, len(points) - 1)
    distances, nearest = NearestNeighbors(metric="cosine").fit(points).kneighbors(n_neighbors=k)
    return ViewerModel(
        video_ids=tuple(
            f"{categories[category]}/{number % videos_per_category + 1:02d}" for number, category in enumerate(of_video)
        ),
        video_category=of_video,
        category_names=categories,
        video_features=points.astype(np.float32),
        neighbours=nearest.astype(np.int64),
        similarity=np.maximum(1 - distances, 0),
        ads=inventory,
        options=options or ViewerOptions(),
    )
