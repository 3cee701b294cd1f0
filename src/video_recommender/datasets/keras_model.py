"""A Keras model in a reproducible file."""

import json
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
from kedro.io import AbstractDataset
from kedro.io.core import get_protocol_and_path

from video_recommender.console_output import suppress_stderr

if TYPE_CHECKING:
    import keras

METADATA_FILE = "metadata.json"  # Member of a `.keras` archive with Keras's version and the time of saving


class KerasModelDataset(AbstractDataset["keras.Model", "keras.Model"]):
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

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            filepath: path or URL of a `.keras` file.
            metadata: for other tools, such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath)
        self._fs = fsspec.filesystem(protocol)
        self._filepath = PurePosixPath(path)
        self.metadata = metadata

    def load(self) -> "keras.Model":
        """Load the model."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.keras"
            self._fs.get_file(str(self._filepath), str(copy))
            return _import_keras().saving.load_model(copy)

    def save(self, data: "keras.Model") -> None:
        """Save the model."""
        with tempfile.TemporaryDirectory() as folder:
            saved, reproducible = Path(folder) / "model.keras", Path(folder) / "reproducible.keras"
            _import_keras().saving.save_model(data, saved)
            _copy_without_time(saved, reproducible)
            self._fs.makedirs(str(self._filepath.parent), exist_ok=True)
            self._fs.put_file(str(reproducible), str(self._filepath))

    def _exists(self) -> bool:
        return bool(self._fs.exists(str(self._filepath)))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _import_keras() -> Any:
    with suppress_stderr():  # TensorFlow writes start-up messages from C++
        import keras
    return keras


def _copy_without_time(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == METADATA_FILE:
                content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
            copy.writestr(zipfile.ZipInfo(name), content)  # a ZipInfo without a time has the year 1980
