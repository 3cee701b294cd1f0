"""The example of the assignment, for a first try and for tests: no corpus is needed."""

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.advertising.ad_table import COLUMNS, check_ads
from video_recommender.advertising.ads import AdInventory
from video_recommender.advertising.scenarios import draw_viewers
from video_recommender.advertising.viewer_model import ViewerModel, ViewerOptions
from video_recommender.schemas import Ads


def assignment_ads() -> DataFrame[Ads]:
    """Cats, car races and concerts, each with a long and a short ad.

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
            columns=COLUMNS,
        )
    )


def example_viewers(
    ads: DataFrame[Ads] | None = None,
    options: ViewerOptions | None = None,
    videos_per_category: int = 30,
    seed: int = 0,
) -> ViewerModel:
    """Make up videos of the categories that ads are for, and viewers.

    Args:
        ads: what can be shown; None: `assignment_ads`.
        options: how viewers take ads; None: as usual.
        videos_per_category: how many videos each category has.
        seed: where chance begins.

    Returns:
        See `draw_viewers`.
    """
    inventory = AdInventory.from_table(assignment_ads() if ads is None else ads)
    return draw_viewers(inventory, videos_per_category, options or ViewerOptions(), np.random.default_rng(seed))
