"""Viewers to try agents on: the named scenarios, and corpora drawn at random."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from video_recommender.advertising.ads import AdInventory
from video_recommender.advertising.viewer_model import ViewerModel, ViewerOptions

SCENARIOS: Final[Mapping[str, ViewerOptions]] = MappingProxyType(
    {
        "assignment": ViewerOptions(),
        "annoyance": ViewerOptions(annoyance_long=0.2, annoyance_repeat=0.3),
        "tastes": ViewerOptions(tastes=True),
    }
)
"""`assignment`: ads are without consequences. `annoyance`: long and repeated ads drive viewers away. `tastes`: each
viewer has a favourite category, which the agent must guess."""

NEIGHBOURS = 10
AXES = 32
SPREAD = 0.6
"""How far videos lie from the middle of their category, which lies at distance 1 from the origin."""


def draw_viewers(
    ads: AdInventory, videos_per_category: int, options: ViewerOptions, rng: np.random.Generator
) -> ViewerModel:
    """Draw a corpus in which each category is a cloud of points, and each video's neighbours are the nearest ones.

    Args:
        ads: what can be shown; its categories are those of the corpus.
        videos_per_category: how many of each.
        options: how viewers take ads.
        rng: draws the points.

    Returns:
        Viewers of that corpus.
    """
    names = tuple(dict.fromkeys(ads.categories))
    category = np.repeat(np.arange(len(names)), videos_per_category)
    middles = rng.normal(size=(len(names), AXES))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    points = middles[category] + rng.normal(scale=SPREAD / np.sqrt(AXES), size=(len(category), AXES))
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
    """Draw a long and a short ad per category: any watch probability from 0.1 to 0.95, any reward from 0.5 to 4."""
    names = [f"category_{number}" for number in range(1, categories + 1)]
    return AdInventory(
        ad_ids=tuple(f"{name}_{kind}" for name in names for kind in ("long", "short")),
        categories=tuple(name for name in names for _ in range(2)),
        kinds=("long", "short") * categories,
        seconds=np.tile([30.0, 10.0], categories),
        watch_probability=rng.uniform(0.1, 0.95, 2 * categories),
        reward=rng.uniform(0.5, 4, 2 * categories),
    )
