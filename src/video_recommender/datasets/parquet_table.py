"""A table in the catalog whose first rows kedro-viz shows, however long it is."""

import json

import pandas as pd
import pyarrow.parquet as pq
from kedro.io.core import get_filepath_str
from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import ParquetDataset
from pandas.api.types import is_float_dtype


class ParquetTableDataset(ParquetDataset):  # type: ignore[misc] # kedro-datasets has no types
    """A Parquet file. It differs from `pandas.ParquetDataset` in its preview, and in how it saves fractional numbers.

    The preview of that one reads the whole file, and kedro-viz cannot show it where a date is missing. It looks among
    all values for those that repeat, which among points of 1280 axes none does: a table of these takes four times as
    long to save, and half as much space again.

    Examples:
        ```yaml
        video_manifest:
          type: video_recommender.datasets.ParquetTableDataset
          filepath: data/01_raw/video_manifest.parquet
        ```

        >>> import pandas as pd
        >>> from video_recommender.datasets import ParquetTableDataset
        >>> dataset = ParquetTableDataset(filepath=f"{tmp_path}/videos.parquet")
        >>> dataset.save(pd.DataFrame({"video_id": ["pets/cat"], "upload_date": [pd.NaT]}))
        >>> dataset.preview()["data"]
        [['pets/cat', None]]
    """

    def save(self, data: pd.DataFrame) -> None:
        """Save a table; what a column says again and again is saved once, but for fractional numbers.

        Args:
            data: any table; `save_args` of the catalog go to `DataFrame.to_parquet`.
        """
        repeating = [str(name) for name, kind in data.dtypes.items() if not is_float_dtype(kind)]
        repeating += [str(name) for name in data.index.names if name is not None]
        place = get_filepath_str(self._get_save_path(), self._protocol)
        with self._fs.open(place, **self._fs_open_args_save) as opened:
            data.to_parquet(opened, **{"use_dictionary": repeating, **self._save_args})
        self._invalidate_cache()

    def preview(self, nrows: int = 20) -> TablePreview:
        """The first rows, with dates as text (ISO 8601), for kedro-viz; no more of the file is read than these need.

        Args:
            nrows: how many.
        """
        with self._fs.open(str(self._get_load_path()), "rb") as opened:
            file = pq.ParquetFile(opened)
            first = next(file.iter_batches(batch_size=nrows), None)
            table = (first if first is not None else file.schema_arrow.empty_table()).to_pandas()
        rows = table.reset_index() if table.index.name else table
        return TablePreview(json.loads(rows.to_json(orient="split", index=False, date_format="iso")))
