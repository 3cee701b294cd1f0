"""How tables are saved, as Parquet itself tells."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from video_recommender.datasets import ParquetTableDataset


@pytest.fixture
def table() -> pd.DataFrame:
    numbers = np.random.default_rng(0).random(100, dtype=np.float32)
    names = pd.Index([f"v/{number}" for number in range(100)], name="video_id", dtype="str")
    return pd.DataFrame({"axis_0001": numbers, "category": "pets", "rank": 1}, index=names)


def test_a_table_comes_back_as_it_was(tmp_path, table) -> None:
    dataset = ParquetTableDataset(filepath=str(tmp_path / "points.parquet"))

    dataset.save(table)

    pd.testing.assert_frame_equal(dataset.load(), table.astype({"category": "str"}))


def test_only_fractional_numbers_are_saved_without_looking_for_repetitions(tmp_path, table) -> None:
    place = tmp_path / "points.parquet"

    ParquetTableDataset(filepath=str(place)).save(table)

    columns = [pq.read_metadata(place).row_group(0).column(number) for number in range(4)]
    assert {column.path_in_schema: column.has_dictionary_page for column in columns} == {
        "axis_0001": False,
        "category": True,
        "rank": True,
        "video_id": True,
    }


def test_the_catalog_has_the_last_word(tmp_path, table) -> None:
    place = tmp_path / "points.parquet"

    ParquetTableDataset(filepath=str(place), save_args={"use_dictionary": False}).save(table)

    assert not pq.read_metadata(place).row_group(0).column(1).has_dictionary_page
