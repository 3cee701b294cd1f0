"""One video file in the catalog."""

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from kedro.io import AbstractDataset, DatasetError
from kedro.io.core import get_protocol_and_path
from upath import UPath

from video_recommender.media.video import Video, VideoBytes, VideoLink, video_at
from video_recommender.storage.paths import StoragePath, parse_path


class VideoFileDataset(AbstractDataset[VideoBytes | VideoLink, Video]):
    """Saves a video, or links to one that lies elsewhere; loads where it lies, never its bytes.

    An object store knows no links: there, a copy is made, by the store itself where the video lies in it already.

    The name ends in `.mp4` whatever the container: decoders and players look at the content.

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
            filepath: where the video or the link to it lies: a path, or the URL of an object store.
            metadata: for other tools, such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath)
        self._protocol = protocol
        self._filepath = PurePosixPath(path)
        self._fs = fsspec.filesystem(protocol)
        self.metadata = metadata

    def load(self) -> Video:
        """Tell where the video lies: the linked file itself where it is linked."""
        return video_at(self._place().resolve())

    def save(self, data: VideoBytes | VideoLink) -> None:
        """Write the video, or link or copy the one that lies elsewhere.

        Raises:
            DatasetError: if the video to link or copy is gone, or lies itself where it is to be catalogued.
        """
        place = self._place()
        if isinstance(data, VideoLink):
            if not data.target.is_file():
                raise DatasetError(f"{data.target} is gone: put it back, or run ingestion again")
            if data.target.resolve() == place.absolute():
                raise DatasetError(f"{data.target} would be overwritten by a link to itself: move it to another folder")
        if isinstance(place, Path):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)  # writing through an earlier link would alter its target
        match data:
            case VideoBytes(content):
                place.write_bytes(content)
            case VideoLink(target, copy):
                _copy(target, place) if copy else _link(target, place)

    def _place(self) -> StoragePath:
        return parse_path(f"{self._protocol}://{self._filepath}")

    def _exists(self) -> bool:
        return self._place().exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _link(target: StoragePath, place: StoragePath) -> None:
    if isinstance(target, UPath) or isinstance(place, UPath):
        _copy(target, place)
        return
    try:
        place.symlink_to(target.resolve())
    except OSError:  # Windows grants symbolic links to few users
        _copy(target, place)


def _copy(target: StoragePath, place: StoragePath) -> None:
    if isinstance(target, UPath) and isinstance(place, UPath) and target.fs == place.fs:
        target.fs.cp_file(target.path, place.path)  # within the store: no byte passes through this machine
    else:
        with target.open("rb") as source, place.open("wb") as copy:
            shutil.copyfileobj(source, copy)
