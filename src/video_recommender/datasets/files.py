"""Datasets of one file or folder, on a disk or in an object store: videos, frames and Keras models."""

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kedro.io import AbstractDataset, DatasetError
from upath import UPath

from video_recommender.console_output import suppress_stderr
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
    """Saves frames as a folder with `1.jpg`, `2.jpg`, …; loads a reference to the folder, not the pixels.

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
        if isinstance(folder, UPath):  # a store writes many objects at a time
            folder.fs.pipe({(folder / name).path: jpeg for name, jpeg in jpegs.items()})
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, jpeg in jpegs.items():
            (folder / name).write_bytes(jpeg)


class VideoFileDataset(_PathDataset[VideoBytes | VideoLink, Video]):
    """Saves a video, or a link to an existing one; loads a reference to the file, not its bytes.

    Object stores have no links, so the video is copied there, by the store itself if it already holds the video.
    The file name ends in `.mp4` for every container: decoders and players examine the content.

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
        """Write the video, or link or copy an existing one, which must not be the file of this dataset."""
        path = self._path
        if isinstance(data, VideoLink):
            if not data.target.is_file():
                raise DatasetError(f"{data.target} is missing: restore it, or run ingestion again")
            if data.target.resolve() == path.absolute():
                raise DatasetError(f"{data.target} would be overwritten by a link to itself: move it to another folder")
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # writing through a previous link would modify its target
        match data:
            case VideoBytes(content):
                path.write_bytes(content)
            case VideoLink(target, copy):
                if copy or not _link(target, path):
                    _copy(target, path)


class KerasModelDataset(_PathDataset["keras.Model", "keras.Model"]):
    """Saves a Keras model without time stamps: equal models give equal bytes, so nothing after them becomes stale.

    Keras is imported when a model is loaded or saved, because the import takes seconds.

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


def _link(target: StoragePath, path: StoragePath) -> bool:
    """Link a file; False if that is not possible: object stores have no links, and Windows restricts them."""
    if isinstance(target, UPath) or isinstance(path, UPath):
        return False
    try:
        path.symlink_to(target.resolve())
    except OSError:
        return False
    return True


def _copy(target: StoragePath, path: StoragePath) -> None:
    if isinstance(target, UPath) and isinstance(path, UPath) and target.fs == path.fs:
        target.fs.cp_file(target.path, path.path)  # inside the store, without a transfer
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
            if name == "metadata.json":  # Keras's version and the time of saving
                content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
            copy.writestr(zipfile.ZipInfo(name), content)  # a ZipInfo without a time has the year 1980
