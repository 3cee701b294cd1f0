"""The encoding of saved tables."""

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


def test_a_saved_table_is_loaded_unchanged(tmp_path, table) -> None:
    dataset = ParquetTableDataset(filepath=str(tmp_path / "points.parquet"))

    dataset.save(table)

    pd.testing.assert_frame_equal(dataset.load(), table.astype({"category": "str"}))


def test_only_floating_point_columns_have_no_dictionary(tmp_path, table) -> None:
    path = tmp_path / "points.parquet"

    ParquetTableDataset(filepath=str(path)).save(table)

    columns = [pq.read_metadata(path).row_group(0).column(number) for number in range(4)]
    assert {column.path_in_schema: column.has_dictionary_page for column in columns} == {
        "axis_0001": False,
        "category": True,
        "rank": True,
        "video_id": True,
    }


def test_save_args_of_the_catalog_take_precedence(tmp_path, table) -> None:
    path = tmp_path / "points.parquet"

    ParquetTableDataset(filepath=str(path), save_args={"use_dictionary": False}).save(table)

    assert not pq.read_metadata(path).row_group(0).column(1).has_dictionary_page
