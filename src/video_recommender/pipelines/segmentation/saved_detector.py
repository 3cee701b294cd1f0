"""A detector of one's own: any model that keeps the contract of the TensorFlow Object Detection API, by its path.

https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/exporting_models.md
"""

import importlib
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.console_noise import silent_stderr
from video_recommender.fingerprints import fingerprint, fingerprint_file
from video_recommender.frame_folder import Picture
from video_recommender.pipelines.segmentation.found_objects import FoundObjects
from video_recommender.pipelines.segmentation.litert_detector import LEAST_SCORE

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
        scores = np.asarray(outputs["detection_scores"][0], np.float32)
        masks = outputs.get(_MASKS)
        objects = FoundObjects(
            boxes=np.asarray(outputs["detection_boxes"][0], np.float32).clip(0, 1),
            class_ids=np.rint(outputs["detection_classes"][0]).astype(np.int64),
            scores=scores,
            masks=None if masks is None else np.asarray(masks[0], np.float32),
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
    if path.exists() or not _HANDLE.fullmatch(name):
        return path
    try:
        model_download = importlib.import_module("kagglehub").model_download
    except ImportError:
        raise ValueError(f"To fetch {name}: pip install kagglehub; or name the path of a model") from None
    try:
        return Path(model_download(name))
    except Exception as error:
        raise ValueError(f"{name} is neither a path nor a model that can be fetched ({error})") from error


def open_saved_detector(path: Path, class_names: Mapping[int, str]) -> SavedDetector:
    """Name a model by its path.

    Args:
        path: folder of a SavedModel (it holds `saved_model.pb`), or file of a frozen graph (`*.pb`).
        class_names: by number, as the model was trained with.

    Raises:
        ValueError: if there is no such model.
    """
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    if not path.exists() or (path.is_dir() and not (path / _SAVED_MODEL).is_file()):
        raise ValueError(
            f"{path} is no model: name a SavedModel's folder, which holds {_SAVED_MODEL}, or a frozen graph's file"
        )
    digests = [fingerprint_file(file) for file in files]
    names = {str(number): name for number, name in class_names.items()}
    return SavedDetector(path.absolute(), fingerprint(VERSION, digests, names), class_names)


@lru_cache(maxsize=1)
def _load(path: Path, _fingerprint: str) -> Run:
    with silent_stderr():
        import tensorflow as tf

        return _load_saved_model(tf, path) if path.is_dir() else _load_frozen_graph(tf, path)


def _load_saved_model(tf: ModuleType, path: Path) -> Run:
    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]
    _check_outputs(path, signature.structured_outputs)
    (name, source), *others = signature.structured_input_signature[1].items()
    if others:
        raise ValueError(f"{path} wants more than a picture: export it with the TensorFlow Object Detection API")

    def run(picture: Picture, _kept: object = model) -> Outputs:  # its variables are gone when nobody keeps the model
        outputs = signature(**{name: tf.constant(picture[np.newaxis], source.dtype)})
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
