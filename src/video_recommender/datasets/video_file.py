"""Dataset for one video file."""

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from upath import UPath

from video_recommender.media.video import Video, VideoBytes, VideoLink, video_from_path
from video_recommender.storage.paths import StoragePath, parse_path


class VideoFileDataset(AbstractDataset[VideoBytes | VideoLink, Video]):
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

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            filepath: path of the file, or URL in an object store.
            metadata: for other tools, such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath)
        self._protocol = protocol
        self._filepath = PurePosixPath(path)
        self._fs = fsspec.filesystem(protocol)
        self.metadata = metadata

    def load(self) -> Video:
        """Return a reference to the file, or to the target of the link."""
        return video_from_path(self._path().resolve())

    def save(self, data: VideoBytes | VideoLink) -> None:
        """Write the video, or link or copy an existing one.

        Raises:
            DatasetError: if the existing video is missing, or is the file of this dataset.
        """
        path = self._path()
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
                _copy(target, path) if copy else _link(target, path)

    def _path(self) -> StoragePath:
        return parse_path(f"{self._protocol}://{self._filepath}")

    def _exists(self) -> bool:
        return self._path().exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _link(target: StoragePath, path: StoragePath) -> None:
    if isinstance(target, UPath) or isinstance(path, UPath):
        _copy(target, path)
        return
    try:
        path.symlink_to(target.resolve())
    except OSError:  # Windows restricts symbolic links
        _copy(target, path)


def _copy(target: StoragePath, path: StoragePath) -> None:
    if isinstance(target, UPath) and isinstance(path, UPath) and target.fs == path.fs:
        target.fs.cp_file(target.path, path.path)  # inside the store, without a transfer
    else:
        with target.open("rb") as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
