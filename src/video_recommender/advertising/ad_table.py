"""The table of ads: somebody's own, once it is checked, or one that is made up for the categories that there are."""

from collections.abc import Hashable, Iterable, Iterator
from typing import Final, get_args

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.advertising.ads import AdKind
from video_recommender.schemas import Ads
from video_recommender.storage.digests import fingerprint

COLUMNS: Final = list(Ads.to_schema().columns)
KINDS: Final = get_args(AdKind)
NUMBERS: Final = {
    "seconds": ("a number above 0", np.nextafter(0, 1), np.finfo(float).max),
    "watch_probability": ("a number from 0 to 1", 0.0, 1.0),
    "reward": ("a number from 0", 0.0, np.finfo(float).max),
}
"""What each may be, in words and as its lowest and highest value."""

LONG_S: Final = 30.0
SHORT_S: Final = 10.0
SHOWN_PROBLEMS: Final = 5


def check_ads(ad_table: pd.DataFrame) -> DataFrame[Ads]:
    """Check a table of ads that somebody has written.

    Args:
        ad_table: as it was read; numbers may be text.

    Returns:
        The same with numbers, ordered by category, then kind.

    Raises:
        ValueError: if columns are missing, or rows are wrong, duplicated or missing; they are named as a spreadsheet
            numbers them: the header is row 1.
    """
    missing = [column for column in COLUMNS if column not in ad_table]
    if missing:
        raise ValueError(f"The table of ads has no column {missing[0]}: it needs {', '.join(COLUMNS)}")
    ads = ad_table[COLUMNS].reset_index(drop=True)
    problems = [*_wrong_rows(ads), *_repeated_rows(ads)] or list(_missing_rows(ads))
    if problems:
        more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        raise ValueError(f"The table of ads cannot be used: {'; '.join(problems[:SHOWN_PROBLEMS])}{more}")
    return Ads.validate(ads.sort_values(["category", "kind"], ignore_index=True))


def require_categories(ads: DataFrame[Ads], categories: Iterable[str]) -> None:
    """Check that every category has ads.

    Raises:
        ValueError: if one has none; the message names it.
    """
    without = sorted(set(categories) - set(ads["category"]))
    if without:
        raise ValueError(
            f"The table of ads has none for {', '.join(without)}: add a long and a short one for each, or remove the "
            "table, and ads are made up"
        )


def make_up_ads(categories: Iterable[str], seed: int) -> DataFrame[Ads]:
    """Make up a long and a short ad for each category.

    The long one is watched less often and earns more. Which of the two earns more on average differs, so that there is
    something to learn.

    Args:
        categories: each may come more than once.
        seed: where chance begins. Each category has its own chance: another category more changes none of the others.

    Returns:
        Two rows per category, ordered by category, then kind.
    """
    rows = [row for category in sorted(set(categories)) for row in _made_up(category, seed)]
    return Ads.validate(pd.DataFrame(rows, columns=COLUMNS))


def _made_up(category: str, seed: int) -> Iterator[tuple[str, str, str, float, float, float]]:
    rng = np.random.default_rng(int(fingerprint(seed, category), 16))
    short = rng.uniform(0.6, 0.9)
    long = short * rng.uniform(0.35, 0.75)
    yield f"{category}-long", category, "long", LONG_S, round(long, 2), round(rng.uniform(1.5, 3.0), 1)
    yield f"{category}-short", category, "short", SHORT_S, round(short, 2), 1.0


def _wrong_rows(ads: pd.DataFrame) -> Iterator[str]:
    for name in ("ad_id", "category"):
        empty = ads[name].isna() | (ads[name].astype("str").str.strip() == "")
        yield from (f"row {_row(index)} has no {name}: name one" for index in ads.index[empty])
    unknown = ads["kind"][~ads["kind"].isin(KINDS)]
    yield from (f"row {_row(index)} has the kind {kind!r}: choose long or short" for index, kind in unknown.items())
    for name, (wanted, lowest, highest) in NUMBERS.items():
        wrong = ads[name][~pd.to_numeric(ads[name], errors="coerce").between(lowest, highest)]
        yield from (
            f"row {_row(index)} has the {name} {value!r}: it must be {wanted}" for index, value in wrong.items()
        )


def _repeated_rows(ads: pd.DataFrame) -> Iterator[str]:
    for names, what in ((["ad_id"], "ad_id"), (["category", "kind"], "category and kind")):
        first = ads.groupby(names, dropna=False)["ad_id"].transform(lambda group: group.index[0])
        again = ads.index[ads.duplicated(names)]
        yield from (
            f"row {_row(index)} has the same {what} as row {_row(first[index])}: remove one of them" for index in again
        )


def _missing_rows(ads: pd.DataFrame) -> Iterator[str]:
    for category, kinds in ads.groupby("category")["kind"]:
        missing = set(KINDS) - set(kinds)
        yield from (
            f"{category} has only a {kinds.iloc[0]} ad (row {_row(kinds.index[0])}): add a {kind} one"
            for kind in missing
        )
    if ads.empty:
        yield "it has no rows: add a long and a short ad per category, or remove the table, and ads are made up"


def _row(index: Hashable) -> int:
    return int(str(index)) + 2
