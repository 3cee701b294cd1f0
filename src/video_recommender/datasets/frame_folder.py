"""Dataset for the frames of one video."""

from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from kedro.io import AbstractDataset
from kedro.io.core import get_protocol_and_path

from video_recommender.media.frames import EncodedFrames, FrameFolder
from video_recommender.storage.paths import parse_path


class FrameFolderDataset(AbstractDataset[EncodedFrames, FrameFolder]):
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

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            filepath: path of the folder, or URL in an object store.
            metadata: for other tools, such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath)
        self._protocol = protocol
        self._filepath = PurePosixPath(path)
        self._fs = fsspec.filesystem(protocol)
        self.metadata = metadata

    def load(self) -> FrameFolder:
        """Return a reference to the folder."""
        return FrameFolder(parse_path(f"{self._protocol}://{self._filepath}"))

    def save(self, data: EncodedFrames) -> None:
        """Replace all frames."""
        folder = self.load()
        if isinstance(folder.path, Path):
            folder.path.mkdir(parents=True, exist_ok=True)
        for file in folder.files:
            if int(file.stem) > len(data):
                file.unlink()
        self._fs.pipe({f"{self._filepath}/{number}.jpg": jpeg for number, jpeg in enumerate(data.jpegs, start=1)})

    def _exists(self) -> bool:
        return self.load().path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
