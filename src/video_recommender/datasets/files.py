"""Datasets of one file or folder, on a disk or in an object store: videos, frames, models, tables and images."""

import base64
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd
import pyarrow.parquet as pq
from kedro.io import AbstractDataset, DataCatalog, DatasetError
from kedro_datasets._typing import ImagePreview, TablePreview
from kedro_datasets.pandas import ParquetDataset
from kedro_datasets.pillow import ImageDataset
from pandas.api.types import is_float_dtype
from upath import UPath

from video_recommender.console_output import suppress_stderr
from video_recommender.incremental.dataset_files import dataset_config, locate_entry
from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.media.video import Video, VideoBytes, VideoLink, video_from_path
from video_recommender.storage.paths import StoragePath, parse_path

if TYPE_CHECKING:
    import keras

S = TypeVar("S")
L = TypeVar("L")


class _PathDataset(AbstractDataset[S, L], Generic[S, L]):
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = parse_path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


class FrameFolderDataset(_PathDataset[EncodedFrames, FrameFolder]):
    """Saves frames as a folder with `1.jpg`, `2.jpg`, …; loads a reference to the folder without decoding frames.

    Examples:
        ```yaml
        trailer_frames:
          type: video_recommender.datasets.FrameFolderDataset
          filepath: data/02_intermediate/trailer
        ```

        >>> from video_recommender.datasets import FrameFolderDataset
        >>> from video_recommender.media.frames import EncodedFrames
        >>> dataset = FrameFolderDataset(filepath=f"{tmp_path}/trailer")
        >>> dataset.save(EncodedFrames((b"a JPEG", b"another JPEG")))
        >>> [file.name for file in dataset.load().files]
        ['1.jpg', '2.jpg']
    """

    def load(self) -> FrameFolder:
        """Return a reference to the folder."""
        return FrameFolder(self._path)

    def save(self, data: EncodedFrames) -> None:
        """Replace all frames."""
        for file in self.load().files:
            if int(file.stem) > len(data):
                file.unlink()
        folder, jpegs = self._path, {f"{number}.jpg": jpeg for number, jpeg in enumerate(data.jpegs, start=1)}
        if isinstance(folder, UPath):  # writes the objects concurrently
            folder.fs.pipe({(folder / name).path: jpeg for name, jpeg in jpegs.items()})
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, jpeg in jpegs.items():
            (folder / name).write_bytes(jpeg)


class VideoFileDataset(_PathDataset[VideoBytes | VideoLink, Video]):
    """Saves a video, or a link to an existing one; loads a reference to the file without reading it.

    Object stores have no links, so the video is copied, within the store if possible. The suffix of the file name is
    `.mp4` for every container format, because decoders and players detect the format.

    Examples:
        ```yaml
        trailer:
          type: video_recommender.datasets.VideoFileDataset
          filepath: data/01_raw/trailer.mp4
        ```

        >>> from video_recommender.datasets import VideoFileDataset
        >>> from video_recommender.media.video import VideoBytes
        >>> dataset = VideoFileDataset(filepath=f"{tmp_path}/trailer.mp4")
        >>> dataset.save(VideoBytes(b"the bytes of a video"))
        >>> dataset.load().path.name
        'trailer.mp4'
    """

    def load(self) -> Video:
        """Return a reference to the file, or to the target of the link."""
        return video_from_path(self._path.resolve())

    def save(self, data: VideoBytes | VideoLink) -> None:
        """Write, link or copy a video; raise a `DatasetError` if the linked one is missing or has the same path."""
        path = self._path
        if isinstance(data, VideoLink):
            if not data.target.is_file():
                raise DatasetError(f"{data.target} is missing: restore it, or run ingestion again")
            if data.target.resolve() == path.absolute():
                raise DatasetError(f"{data.target} cannot be replaced by a link to itself: move it to another folder")
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # writing to an existing link would modify its target
        match data:
            case VideoBytes(content):
                path.write_bytes(content)
            case VideoLink(target, copy):
                if copy or not _link(target, path):
                    _copy(target, path)


class KerasModelDataset(_PathDataset["keras.Model", "keras.Model"]):
    """Saves a Keras model without timestamps, so that equal models have equal bytes and digests.

    Keras, whose import takes seconds, is imported only when a model is loaded or saved.

    Examples:
        ```yaml
        ad_network:
          type: video_recommender.datasets.KerasModelDataset
          filepath: data/06_models/ad_network.keras
        ```

        >>> from video_recommender.datasets import KerasModelDataset
        >>> dataset = KerasModelDataset(filepath=f"{tmp_path}/ad_network.keras")
        >>> dataset.exists()
        False
    """

    def load(self) -> "keras.Model":
        """Load the model."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "model.keras")
            copy.write_bytes(self._path.read_bytes())
            return _import_keras().saving.load_model(copy)

    def save(self, data: "keras.Model") -> None:
        """Save the model."""
        with tempfile.TemporaryDirectory() as folder:
            saved, reproducible = Path(folder, "model.keras"), Path(folder, "reproducible.keras")
            _import_keras().saving.save_model(data, saved)
            _copy_without_time(saved, reproducible)
            if isinstance(self._path, Path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(reproducible.read_bytes())


class PreviewImageDataset(ImageDataset):  # type: ignore[misc] # kedro-datasets has no types
    """Kedro's `pillow.ImageDataset` with a preview for kedro-viz.

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
        """Return the file, Base64-encoded (RFC 4648)."""
        filesystem, path = locate_entry(*dataset_config("image", self))
        return ImagePreview(base64.b64encode(filesystem.cat_file(path)).decode())


class ParquetTableDataset(ParquetDataset):  # type: ignore[misc] # kedro-datasets has no types
    """pandas' Parquet dataset with another preview, and without dictionary encoding of floating-point columns.

    The preview of `pandas.ParquetDataset` reads the whole file and fails for missing dates. Dictionary encoding makes
    tables of embeddings, whose values rarely repeat, slower to save and larger.

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
        """Save a table. By default, columns that are not floats are dictionary-encoded; `save_args` override it."""
        encoded = [str(name) for name, kind in data.dtypes.items() if not is_float_dtype(kind)]
        encoded += [str(name) for name in data.index.names if name is not None]
        entry, credentials = dataset_config("table", self)
        entry["type"] = ParquetDataset
        entry["save_args"] = {"use_dictionary": encoded, **(entry.get("save_args") or {})}
        DataCatalog.from_config({"table": entry}, credentials)["table"].save(data)
        self.release()

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the first rows, with dates in ISO 8601; read only the first batch of the file."""
        filesystem, path = locate_entry(*dataset_config("table", self))
        with filesystem.open(path, "rb") as opened:
            file = pq.ParquetFile(opened)
            first = next(file.iter_batches(batch_size=nrows), None)
            table = (first if first is not None else file.schema_arrow.empty_table()).to_pandas()
        rows = table.reset_index() if table.index.name else table
        return TablePreview(json.loads(rows.to_json(orient="split", index=False, date_format="iso")))


class OptionalDataset(AbstractDataset[Any, Any]):
    """Wraps a dataset that can be missing, such as the output of an optional pipeline; loads None if it is missing.

    Examples:
        ```yaml
        segmented_class_embeddings:
          type: video_recommender.datasets.OptionalDataset
          dataset:
            type: pandas.ParquetDataset
            filepath: data/03_primary/segmented_class_embeddings.parquet
        ```

        >>> from video_recommender.datasets import OptionalDataset
        >>> dataset = OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": f"{tmp_path}/ads.json"})
        >>> dataset.load() is None
        True
        >>> dataset.save({"seconds": 15})
        >>> dataset.load()
        {'seconds': 15}
    """

    def __init__(self, *, dataset: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._config = dataset
        self._wrapped: AbstractDataset[Any, Any] = AbstractDataset.from_config("optional", dataset)
        self.metadata = metadata

    def load(self) -> Any:
        """Load the wrapped dataset; None if it does not exist."""
        return self._wrapped.load() if self._wrapped.exists() else None

    def save(self, data: Any) -> None:
        """Save to the wrapped dataset."""
        self._wrapped.save(data)

    def _exists(self) -> bool:
        return self._wrapped.exists()

    def _release(self) -> None:
        self._wrapped.release()

    def _describe(self) -> dict[str, Any]:
        return {name: value for name, value in self._config.items() if name != "credentials"}


def _link(target: StoragePath, path: StoragePath) -> bool:
    """Create a symbolic link; return False in object stores, and if the system does not permit it."""
    if isinstance(target, UPath) or isinstance(path, UPath):
        return False
    try:
        path.symlink_to(target.resolve())
    except OSError:
        return False
    return True


def _copy(target: StoragePath, path: StoragePath) -> None:
    if isinstance(target, UPath) and isinstance(path, UPath) and target.fs == path.fs:
        target.fs.cp_file(target.path, path.path)  # within the store, without a download
    else:
        with target.open("rb") as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy)


def _import_keras() -> Any:
    with suppress_stderr():  # TensorFlow writes start-up messages from C++
        import keras
    return keras


def _copy_without_time(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "metadata.json":  # contains Keras's version and the time of saving
                content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
            copy.writestr(zipfile.ZipInfo(name), content)  # the default date of a ZipInfo is constant
