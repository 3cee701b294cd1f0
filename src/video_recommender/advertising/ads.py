"""The ads that can be shown, two per category, as arrays."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.schemas import Ads

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
AdKind: TypeAlias = Literal["long", "short"]


@dataclass(frozen=True, eq=False)
class AdInventory:
    """The table `ads` as arrays, ordered by category, then kind (long, short).

    Attributes:
        ad_ids: names of the ads.
        categories: category of each ad.
        kinds: `long` or `short`, of each ad.
        seconds: length of each, float64, shape (ads,).
        watch_probability: how probably each is watched before a video of its category, float64, shape (ads,).
        reward: what each earns if it is watched, float64, shape (ads,).
    """

    ad_ids: tuple[str, ...]
    categories: tuple[str, ...]
    kinds: tuple[str, ...]
    seconds: FloatArray
    watch_probability: FloatArray
    reward: FloatArray

    @classmethod
    def from_table(cls, ads: DataFrame[Ads]) -> Self:
        """Take the ads from their table.

        Args:
            ads: in any order.

        Returns:
            The ads, ordered.
        """
        ordered = ads.sort_values(["category", "kind"])
        return cls(
            ad_ids=tuple(ordered["ad_id"]),
            categories=tuple(ordered["category"]),
            kinds=tuple(ordered["kind"]),
            seconds=ordered["seconds"].to_numpy(np.float64),
            watch_probability=ordered["watch_probability"].to_numpy(np.float64),
            reward=ordered["reward"].to_numpy(np.float64),
        )

    @property
    def category_names(self) -> tuple[str, ...]:
        """The categories, each once."""
        return tuple(dict.fromkeys(self.categories))

    def __len__(self) -> int:
        return len(self.ad_ids)
