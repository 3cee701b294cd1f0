"""The user's table of ads is validated row by row; without one, ads are generated."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from video_recommender.advertising.ads import AdInventory, check_ads, generate_ads, require_categories
from video_recommender.advertising.environment import assignment_ads

ASSIGNMENT = Path(__file__).parents[2] / "conf/base/assignment_ads.csv"


def assignment_table() -> pd.DataFrame:
    """Read the assignment's table as text, as the catalog does."""
    return pd.read_csv(ASSIGNMENT, dtype="str", keep_default_na=False)


def test_the_example_file_has_the_ads_of_the_assignment() -> None:
    with ASSIGNMENT.open() as file:
        rows = {
            (row["category"], row["kind"]): tuple(
                float(row[name]) for name in ("seconds", "watch_probability", "reward")
            )
            for row in csv.DictReader(file)
        }

    assert rows == {
        ("cats", "long"): (30, 0.3, 3),
        ("cats", "short"): (10, 0.7, 1),
        ("car races", "long"): (30, 0.4, 2),
        ("car races", "short"): (10, 0.8, 1),
        ("concerts", "long"): (30, 0.5, 2),
        ("concerts", "short"): (10, 0.9, 1),
    }
    pd.testing.assert_frame_equal(check_ads(assignment_table()), assignment_ads())


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (0, "watch_probability", "1.2", r"row 2 has the watch_probability '1\.2': it must be a number from 0 to 1"),
        (3, "watch_probability", "", r"row 5 has the watch_probability ''"),
        (1, "seconds", "0", r"row 3 has the seconds '0': it must be a number above 0"),
        (1, "seconds", "ten", r"row 3 has the seconds 'ten'"),
        (5, "reward", "-1", r"row 7 has the reward '-1': it must be a non-negative number"),
        (5, "reward", "inf", r"row 7 has the reward 'inf'"),
        (2, "kind", "medium", r"row 4 has the kind 'medium': the kind must be long or short"),
        (2, "ad_id", " ", r"row 4 has no ad_id"),
        (4, "category", "", r"row 6 has no category"),
        (4, "ad_id", "cats-long", r"row 6 has the same ad_id as row 2: remove one"),
        (1, "kind", "long", r"row 3 has the same category and kind as row 2: remove one"),
    ],
)
def test_an_invalid_row_is_named_with_what_is_required(row, column, value, message) -> None:
    ads = assignment_table()
    ads.loc[row, column] = value

    with pytest.raises(ValueError, match=message):
        check_ads(ads)


def test_a_category_with_only_one_ad_is_named_with_the_missing_kind() -> None:
    with pytest.raises(ValueError, match=r"concerts has only a long ad \(row 6\): add a short one"):
        check_ads(assignment_table().drop(index=5))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match=r"no column reward"):
        check_ads(assignment_table().drop(columns="reward"))


def test_an_empty_table_is_rejected_with_a_remedy() -> None:
    with pytest.raises(ValueError, match=r"no rows: add a long and a short ad"):
        check_ads(assignment_table().head(0))


def test_the_first_five_invalid_rows_are_reported() -> None:
    with pytest.raises(ValueError, match=r"row 6 has .*; and 1 more$"):
        check_ads(assignment_table().assign(reward="free"))


def test_a_category_of_the_corpus_without_ads_is_named() -> None:
    with pytest.raises(ValueError, match=r"no ads for food, pets: add a long and a short ad for each, or remove"):
        require_categories(assignment_ads(), ["pets", "cats", "food"])


def test_ads_of_categories_without_videos_are_accepted() -> None:
    require_categories(assignment_ads(), ["cats"])


def test_generated_long_ads_are_watched_less_often_and_earn_more() -> None:
    ads = generate_ads([f"category {number}" for number in range(200)], seed=1).set_index(["category", "kind"])
    long, short = (ads.xs(kind, level="kind") for kind in ("long", "short"))

    assert (long["watch_probability"] < short["watch_probability"]).all()
    assert (long["reward"] > short["reward"]).all()
    assert (long["seconds"] > short["seconds"]).all()
    long_is_better = long["watch_probability"] * long["reward"] > short["watch_probability"] * short["reward"]
    assert 0.2 < long_is_better.mean() < 0.8


def test_generated_ads_of_a_category_do_not_depend_on_other_categories() -> None:
    alone, together = generate_ads(["cats"], seed=1), generate_ads(["birds", "cats", "dogs", "cats"], seed=1)

    pd.testing.assert_frame_equal(together[together["category"] == "cats"].reset_index(drop=True), alone)
    assert len(together) == 6
    assert not generate_ads(["cats"], seed=2).equals(alone)


def test_the_inventory_is_sorted_by_category_and_kind() -> None:
    shuffled = assignment_ads().sample(frac=1, random_state=0)

    inventory = AdInventory.from_table(shuffled)

    assert inventory.categories == ("car races",) * 2 + ("cats",) * 2 + ("concerts",) * 2
    assert inventory.kinds == ("long", "short") * 3
    assert inventory.ad_ids[2] == "cats-long"
    assert inventory.watch_probability.tolist() == [0.4, 0.8, 0.3, 0.7, 0.5, 0.9]
    assert inventory.reward.dtype == inventory.seconds.dtype == np.float64
