"""A Keras model in a file that tells nothing of when it was saved."""

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

METADATA = "metadata.json"
"""What Keras notes beside the model: its own version, and the time."""


class KerasModelDataset(AbstractDataset["keras.Model", "keras.Model"]):
    """Saves a Keras model in Keras's own format, but without the time: equal models give equal bytes.

    So a run that is repeated changes nothing, and nothing after it is done again. Keras is imported at the first load
    or save only, because that takes seconds.

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
            filepath: where the model lies: a path, or the URL of an object store, that ends in `.keras`.
            metadata: for other tools, such as kedro-viz.
        """
        protocol, path = get_protocol_and_path(filepath)
        self._fs = fsspec.filesystem(protocol)
        self._filepath = PurePosixPath(path)
        self.metadata = metadata

    def load(self) -> "keras.Model":
        """Read the model."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.keras"
            self._fs.get_file(str(self._filepath), str(copy))
            return _keras().saving.load_model(copy)

    def save(self, data: "keras.Model") -> None:
        """Write the model."""
        with tempfile.TemporaryDirectory() as folder:
            dated, undated = Path(folder) / "model.keras", Path(folder) / "undated.keras"
            _keras().saving.save_model(data, dated)
            _copy_without_time(dated, undated)
            self._fs.makedirs(str(self._filepath.parent), exist_ok=True)
            self._fs.put_file(str(undated), str(self._filepath))

    def _exists(self) -> bool:
        return bool(self._fs.exists(str(self._filepath)))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _keras() -> Any:
    with suppress_stderr():  # TensorFlow greets from C++ when it is imported
        import keras
    return keras


def _copy_without_time(dated: Path, target: Path) -> None:
    with zipfile.ZipFile(dated) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == METADATA:
                content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
            copy.writestr(zipfile.ZipInfo(name), content)  # dated 1980 unless told otherwise
