"""Viewers without a corpus, for examples, tests and benchmarks: named scenarios, made-up videos and ads."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.advertising.ads import AD_COLUMNS, AdInventory, check_ads
from video_recommender.advertising.viewers import ViewerModel, ViewerOptions
from video_recommender.schemas import Ads

SCENARIOS: Final[Mapping[str, ViewerOptions]] = MappingProxyType(
    {
        "assignment": ViewerOptions(),
        "annoyance": ViewerOptions(annoyance_long=0.2, annoyance_repeat=0.3),
        "tastes": ViewerOptions(tastes=True),
    }
)
"""`assignment`: an ad affects only its own reward. `annoyance`: long and repeated ads make viewers leave. `tastes`:
each viewer has a favourite category that the agent cannot observe."""

NEIGHBOURS = 10
AXES = 32
SPREAD = 0.6
"""Distance of videos from the centre of their category, which is at distance 1 from the origin."""


def assignment_ads() -> DataFrame[Ads]:
    """Return the ads of the assignment's example; before a car race both ads earn 0.8 on average."""
    rows = [
        ("cats-long", "cats", "long", 30, 0.3, 3),
        ("cats-short", "cats", "short", 10, 0.7, 1),
        ("car-races-long", "car races", "long", 30, 0.4, 2),
        ("car-races-short", "car races", "short", 10, 0.8, 1),
        ("concerts-long", "concerts", "long", 30, 0.5, 2),
        ("concerts-short", "concerts", "short", 10, 0.9, 1),
    ]
    return check_ads(pd.DataFrame(rows, columns=AD_COLUMNS))


def example_viewers(
    ads: DataFrame[Ads] | None = None,
    options: ViewerOptions | None = None,
    videos_per_category: int = 30,
    seed: int = 0,
) -> ViewerModel:
    """Draw viewers as `draw_viewers` does, by default with `assignment_ads` and default options."""
    inventory = AdInventory.from_table(assignment_ads() if ads is None else ads)
    return draw_viewers(inventory, videos_per_category, options or ViewerOptions(), np.random.default_rng(seed))


def draw_viewers(
    ads: AdInventory, videos_per_category: int, options: ViewerOptions, rng: np.random.Generator
) -> ViewerModel:
    """Draw a corpus with the ads' categories as clusters, in which each video recommends its nearest neighbours."""
    names = ads.category_names
    category = np.repeat(np.arange(len(names)), videos_per_category)
    centres = rng.normal(size=(len(names), AXES))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    points = centres[category] + rng.normal(scale=SPREAD / np.sqrt(AXES), size=(len(category), AXES))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cosines = points @ points.T
    np.fill_diagonal(cosines, -np.inf)
    neighbours = np.argsort(-cosines, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(category) - 1)]
    return ViewerModel(
        video_ids=tuple(f"{names[kind]}/{number}" for number, kind in enumerate(category)),
        video_category=category,
        category_names=names,
        video_features=points.astype(np.float32),
        neighbours=neighbours,
        similarity=np.take_along_axis(cosines, neighbours, axis=1).clip(min=0),
        ads=ads,
        options=options,
    )


def draw_inventory(categories: int, rng: np.random.Generator) -> AdInventory:
    """Draw a long and a short ad per category, with watch probabilities in [0.1, 0.95] and rewards in [0.5, 4]."""
    names = [f"category_{number}" for number in range(1, categories + 1)]
    return AdInventory(
        ad_ids=tuple(f"{name}_{kind}" for name in names for kind in ("long", "short")),
        categories=tuple(name for name in names for _ in range(2)),
        kinds=("long", "short") * categories,
        seconds=np.tile([30.0, 10.0], categories),
        watch_probability=rng.uniform(0.1, 0.95, 2 * categories),
        reward=rng.uniform(0.5, 4, 2 * categories),
    )
