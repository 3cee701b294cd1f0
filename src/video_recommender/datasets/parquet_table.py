"""A table in the catalog whose first rows kedro-viz shows, however long it is."""

import json

import pyarrow.parquet as pq
from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import ParquetDataset


class ParquetTableDataset(ParquetDataset):  # type: ignore[misc] # kedro-datasets has no types
    """A Parquet file. It differs from `pandas.ParquetDataset` in its preview.

    That one reads the whole file, and kedro-viz cannot show it where a date is missing.

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
