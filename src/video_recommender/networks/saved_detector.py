"""A detector of one's own: any model that keeps the contract of the TensorFlow Object Detection API, by its path.

https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/exporting_models.md
"""

import contextlib
import importlib
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.media.frames import Picture
from video_recommender.networks.found_objects import FoundObjects
from video_recommender.networks.litert_detector import LEAST_SCORE
from video_recommender.networks.repeated_boxes import Boxes
from video_recommender.storage.digests import fingerprint, fingerprint_file

VERSION: Final = 1
"""Raised when the same model would find other objects than before."""

_SAVED_MODEL: Final = "saved_model.pb"
_NEEDED: Final = ("detection_boxes", "detection_classes", "detection_scores")
_MASKS: Final = "detection_masks"

_HANDLE: Final = re.compile(r"[\w-]+/[\w-]+/[\w-]+/[\w.-]+(/\d+)?")

Outputs = Mapping[str, NDArray[Any]]
Run = Callable[[Picture], Outputs]


@dataclass(frozen=True)
class SavedDetector:
    """A SavedModel or a frozen graph; TensorFlow is imported, and the model loaded, once per process that uses it.

    Attributes:
        path: folder of the SavedModel, or file of the frozen graph.
        fingerprint: digest of its files and of the class names.
        class_names: by number.
    """

    path: Path
    fingerprint: str
    class_names: Mapping[int, str] = field(repr=False)

    @property
    def class_embeddings(self) -> NDArray[np.float32]:
        """Nothing is known of how classes resemble each other: each has an axis of its own."""
        return np.eye(len(self.class_names), dtype=np.float32)

    def find(self, picture: Picture) -> FoundObjects:
        """Find objects, also very doubtful ones, the most certain first.

        Args:
            picture: uint8 RGB, shape (height, width, 3), of any size.

        Returns:
            Boxes, with masks if the model tells them.

        Raises:
            ValueError: if the model does not keep the contract.
        """
        outputs = _load(self.path, self.fingerprint)(picture)
        scores, boxes = (np.asarray(outputs[f"detection_{name}"][0], np.float32) for name in ("scores", "boxes"))
        masks = outputs.get(_MASKS)
        objects = FoundObjects(
            boxes=boxes.clip(0, 1),
            class_ids=np.rint(outputs["detection_classes"][0]).astype(np.int64),
            scores=scores,
            masks=None if masks is None else _crop_masks(np.asarray(masks[0], np.float32), boxes, picture),
        )
        ranked = np.argsort(-scores, kind="stable")
        is_known = np.isin(objects.class_ids[ranked], list(self.class_names))
        return objects.select(ranked[is_known & (scores[ranked] >= LEAST_SCORE)])


def find_model(name: str) -> Path:
    """Find a model by its path, or fetch it by its handle.

    Args:
        name: a path, or a handle of kaggle.com/models, where TensorFlow Hub's models are, such as
            `tensorflow/mask-rcnn-inception-resnet-v2/tensorFlow2/1024x1024`.

    Raises:
        ValueError: if there is nothing at the path, and the handle's model cannot be fetched.
    """
    path = Path(name).expanduser()
    if path.name == _SAVED_MODEL:
        return path.parent
    if path.exists() or not _HANDLE.fullmatch(name):
        return path
    try:
        model_download = importlib.import_module("kagglehub").model_download
    except ImportError:
        raise ValueError(f"There is no {path} here; to fetch {name} from kaggle.com: pip install kagglehub") from None
    try:
        return Path(model_download(name))
    except Exception as error:
        raise ValueError(f"{name} is neither a path nor a model that can be fetched ({error})") from error


def digest_model(path: Path) -> str:
    """Digest a model's files, so that another one in its place is noticed.

    Raises:
        ValueError: if there is no model.
    """
    if path.is_file():
        return fingerprint_file(path)
    if not (path / _SAVED_MODEL).is_file():
        raise ValueError(
            f"{path} is no model: name a SavedModel's folder, which holds {_SAVED_MODEL}, or a frozen graph's file"
        )
    return fingerprint([fingerprint_file(file) for file in sorted(path.rglob("*")) if file.is_file()])


def open_saved_detector(path: Path, class_names: Mapping[int, str]) -> SavedDetector:
    """Open a model, and make sure that it keeps the contract.

    Args:
        path: folder of a SavedModel (it holds `saved_model.pb`), or file of a frozen graph (`*.pb`).
        class_names: by number, as the model was trained with.

    Raises:
        ValueError: if there is no such model, or it cannot look at a picture.
    """
    names = {str(number): name for number, name in class_names.items()}
    detector = SavedDetector(path.absolute(), fingerprint(VERSION, digest_model(path), names), class_names)
    try:
        detector.find(np.zeros((64, 64, 3), np.uint8))
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot look at a picture ({type(error).__name__}): export it with the Object Detection API"
        ) from error
    return detector


def _crop_masks(masks: NDArray[np.float32], boxes: Boxes, picture: Picture) -> NDArray[np.float32]:
    """Cut off what lies beyond the picture of masks that belong to boxes."""
    if masks.shape[1:] == picture.shape[:2]:
        return masks
    height, width = masks.shape[1:]
    cropped = masks.copy()
    for row in np.flatnonzero((boxes != boxes.clip(0, 1)).any(axis=1)):
        top, left, bottom, right = boxes[row]
        rows = (np.linspace(max(top, 0), min(bottom, 1), height) - top) / (bottom - top) * (height - 1)
        columns = (np.linspace(max(left, 0), min(right, 1), width) - left) / (right - left) * (width - 1)
        across, down = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        cropped[row] = cv2.remap(masks[row], across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cropped


@lru_cache(maxsize=1)
def _load(path: Path, _fingerprint: str) -> Run:
    with suppress_stderr():
        import tensorflow as tf

        _be_modest(tf)
        return _load_saved_model(tf, path) if path.is_dir() else _load_frozen_graph(tf, path)


def _be_modest(tf: ModuleType) -> None:
    """Take one core and no more of the GPU than is needed: there are as many processes as there are cores."""
    with contextlib.suppress(RuntimeError):  # TensorFlow is at work in this process already
        tf.config.threading.set_intra_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def _load_saved_model(tf: ModuleType, path: Path) -> Run:
    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]
    _check_outputs(path, signature.structured_outputs)
    (name, source), *others = signature.structured_input_signature[1].items()
    if others:
        raise ValueError(f"{path} wants more than a picture: export it with the TensorFlow Object Detection API")

    def run(picture: Picture) -> Outputs:
        # by way of the model, which must be held on to: its variables go with it
        outputs = model.signatures["serving_default"](**{name: tf.constant(picture[np.newaxis], source.dtype)})
        return {output: tensor.numpy() for output, tensor in outputs.items()}

    return run


def _load_frozen_graph(tf: ModuleType, path: Path) -> Run:
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    there = {node.name for node in graph.node}
    _check_outputs(path, there)
    names = [name for name in (*_NEEDED, _MASKS) if name in there]
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    function = whole.prune("image_tensor:0", [f"{name}:0" for name in names])

    def run(picture: Picture) -> Outputs:
        tensors = function(tf.constant(picture[np.newaxis], tf.uint8))
        return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}

    return run


def _check_outputs(path: Path, outputs: Container[str]) -> None:
    missing = [name for name in _NEEDED if name not in outputs]
    if missing:
        raise ValueError(f"{path} gives no {', '.join(missing)}: export it with the TensorFlow Object Detection API")
