"""The ads that can be shown: a long and a short one per category, read from the user's table or generated."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.schemas import Ads
from video_recommender.storage.digests import fingerprint

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

AD_COLUMNS: Final = list(Ads.to_schema().columns)
KINDS: Final = ("long", "short")
NUMERIC_COLUMNS: Final = {
    "seconds": ("a number above 0", np.nextafter(0, 1), np.finfo(float).max),
    "watch_probability": ("a number from 0 to 1", 0.0, 1.0),
    "reward": ("a non-negative number", 0.0, np.finfo(float).max),
}
"""Requirement of each numeric column (for messages), lowest value and highest value."""

MAX_REPORTED_PROBLEMS: Final = 5


@dataclass(frozen=True, eq=False)
class AdInventory:
    """The table `ads` (see its schema for units) as arrays of shape (ads,), sorted by category and kind."""

    ad_ids: tuple[str, ...]
    categories: tuple[str, ...]
    kinds: tuple[str, ...]
    seconds: FloatArray
    watch_probability: FloatArray
    reward: FloatArray

    @classmethod
    def from_table(cls, ads: DataFrame[Ads]) -> Self:
        """Convert the table. Its rows can have any order."""
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
        """The categories, in the order of the ads."""
        return tuple(dict.fromkeys(self.categories))

    def __len__(self) -> int:
        return len(self.ad_ids)


def check_ads(ad_table: pd.DataFrame) -> DataFrame[Ads]:
    """Validate the user's table of ads, convert text to numbers, and sort the rows by category and kind.

    Raises:
        ValueError: if rows are missing, invalid or duplicated. Rows are numbered as in a spreadsheet (header: row 1).
    """
    missing = [column for column in AD_COLUMNS if column not in ad_table]
    if missing:
        raise ValueError(f"The table of ads has no column {missing[0]}: it needs {', '.join(AD_COLUMNS)}")
    ads = ad_table[AD_COLUMNS].set_axis(range(2, len(ad_table) + 2))
    problems = [*_invalid_rows(ads), *_duplicated_rows(ads)] or list(_missing_rows(ads))
    if problems:
        more = f"; and {len(problems) - MAX_REPORTED_PROBLEMS} more" if len(problems) > MAX_REPORTED_PROBLEMS else ""
        raise ValueError(f"The table of ads is invalid: {'; '.join(problems[:MAX_REPORTED_PROBLEMS])}{more}")
    return Ads.validate(ads.sort_values(["category", "kind"], ignore_index=True))


def require_categories(ads: DataFrame[Ads], categories: Iterable[str]) -> None:
    """Raise a `ValueError` that names the categories without ads, if there are any."""
    missing = sorted(set(categories) - set(ads["category"]))
    if missing:
        raise ValueError(
            f"The table of ads has no ads for {', '.join(missing)}: add a long and a short ad for each, or remove the "
            "table to use generated ads"
        )


def generate_ads(categories: Iterable[str], seed: int) -> DataFrame[Ads]:
    """Generate a long and a short ad for each category, independently of the other categories.

    The long ad has a lower watch probability and a higher reward. Either ad can have the higher expected reward.
    """
    rows = [row for category in sorted(set(categories)) for row in _generate(category, seed)]
    return Ads.validate(pd.DataFrame(rows, columns=AD_COLUMNS))


def _generate(category: str, seed: int) -> Iterator[tuple[str, str, str, float, float, float]]:
    rng = np.random.default_rng(int(fingerprint(seed, category), 16))
    short = rng.uniform(0.6, 0.9)
    long = short * rng.uniform(0.35, 0.75)
    yield f"{category}-long", category, "long", 30.0, round(long, 2), round(rng.uniform(1.5, 3.0), 1)
    yield f"{category}-short", category, "short", 10.0, round(short, 2), 1.0


def _invalid_rows(ads: pd.DataFrame) -> Iterator[str]:
    for name in ("ad_id", "category"):
        empty = ads[name].isna() | (ads[name].astype("str").str.strip() == "")
        yield from (f"row {row} has no {name}: add one" for row in ads.index[empty])
    unknown = ads["kind"][~ads["kind"].isin(KINDS)]
    yield from (f"row {row} has the kind {kind!r}: the kind must be long or short" for row, kind in unknown.items())
    for name, (required, lowest, highest) in NUMERIC_COLUMNS.items():
        invalid = ads[name][~pd.to_numeric(ads[name], errors="coerce").between(lowest, highest)]
        yield from (f"row {row} has the {name} {value!r}: it must be {required}" for row, value in invalid.items())


def _duplicated_rows(ads: pd.DataFrame) -> Iterator[str]:
    for names in (["ad_id"], ["category", "kind"]):
        first = ads.groupby(names, dropna=False)["ad_id"].transform(lambda group: group.index[0])
        yield from (
            f"row {row} has the same {' and '.join(names)} as row {first[row]}: remove one of them"
            for row in ads.index[ads.duplicated(names)]
        )


def _missing_rows(ads: pd.DataFrame) -> Iterator[str]:
    for category, kinds in ads.groupby("category")["kind"]:
        for kind in set(KINDS) - set(kinds):
            yield f"{category} has only a {kinds.iloc[0]} ad (row {kinds.index[0]}): add a {kind} one"
    if ads.empty:
        yield "it has no rows: add a long and a short ad per category, or remove the table to use generated ads"
