"""Tables and images that kedro-viz previews."""

import base64
import json

import pandas as pd
import pyarrow.parquet as pq
from kedro.io import DataCatalog
from kedro_datasets._typing import ImagePreview, TablePreview
from kedro_datasets.pandas import ParquetDataset
from kedro_datasets.pillow import ImageDataset
from pandas.api.types import is_float_dtype

from video_recommender.incremental.dataset_location import dataset_config, locate_entry


class PreviewImageDataset(ImageDataset):  # type: ignore[misc] # kedro-datasets has no types
    """Pillow's image dataset with a preview.

    Examples:
        ```yaml
        frame_sheet:
          type: video_recommender.datasets.PreviewImageDataset
          filepath: data/08_reporting/frame_sheet.jpg
        ```

        >>> from PIL import Image
        >>> from video_recommender.datasets import PreviewImageDataset
        >>> dataset = PreviewImageDataset(filepath=f"{tmp_path}/red.png")
        >>> dataset.save(Image.new("RGB", (4, 3), color="red"))
        >>> dataset.load().size
        (4, 3)
    """

    def preview(self) -> ImagePreview:
        """Return the file in base 64 (RFC 4648)."""
        filesystem, path = locate_entry(*dataset_config("image", self))
        return ImagePreview(base64.b64encode(filesystem.cat_file(path)).decode())


class ParquetTableDataset(ParquetDataset):  # type: ignore[misc] # kedro-datasets has no types
    """pandas' Parquet dataset, which differs in its preview and in the encoding of floating-point columns.

    The preview of `pandas.ParquetDataset` reads the whole file and fails for missing dates. Its dictionary encoding
    makes tables of embeddings, whose values do not repeat, four times as slow to save and 1.5 times as large.

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
        """Save a table, with dictionaries only for columns that are not floating-point unless `save_args` differ."""
        encoded = [str(name) for name, kind in data.dtypes.items() if not is_float_dtype(kind)]
        encoded += [str(name) for name in data.index.names if name is not None]
        entry, credentials = dataset_config("table", self)
        entry["type"] = ParquetDataset
        entry["save_args"] = {"use_dictionary": encoded, **(entry.get("save_args") or {})}
        DataCatalog.from_config({"table": entry}, credentials)["table"].save(data)
        self.release()

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the first rows, with dates in ISO 8601, without reading more of the file than needed."""
        filesystem, path = locate_entry(*dataset_config("table", self))
        with filesystem.open(path, "rb") as opened:
            file = pq.ParquetFile(opened)
            first = next(file.iter_batches(batch_size=nrows), None)
            table = (first if first is not None else file.schema_arrow.empty_table()).to_pandas()
        rows = table.reset_index() if table.index.name else table
        return TablePreview(json.loads(rows.to_json(orient="split", index=False, date_format="iso")))
