"""A user's detector: a SavedModel or frozen graph that follows the contract of the TensorFlow Object Detection API.

https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/exporting_models.md
"""

import contextlib
import importlib
import logging
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
from video_recommender.media.frames import RgbImage
from video_recommender.networks.coco_detector import MIN_SCORE
from video_recommender.networks.detected_objects import Boxes, DetectedObjects
from video_recommender.networks.pretrained import import_tensorflow
from video_recommender.storage.digests import fingerprint, fingerprint_file

logger = logging.getLogger(__name__)

_SAVED_MODEL: Final = "saved_model.pb"
_REQUIRED: Final = ("detection_boxes", "detection_classes", "detection_scores")
_MASKS: Final = "detection_masks"
_KAGGLE_HANDLE: Final = re.compile(r"[\w-]+/[\w-]+/[\w-]+/[\w.-]+(/\d+)?")
_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
_ITEM: Final = re.compile(r"item\s*:?\s*\{(.*?)\}", re.DOTALL)
_NUMBER: Final = re.compile(r"\bid\s*:\s*(\d+)")
_DISPLAY_NAME: Final = re.compile(r"\bdisplay_name\s*:\s*([\"'])(.*?)\1")
_NAME: Final = re.compile(r"\bname\s*:\s*([\"'])(.*?)\1")

Outputs = Mapping[str, NDArray[Any]]
Run = Callable[[RgbImage], Outputs]


@dataclass(frozen=True)
class SavedDetector:
    """A detector in a SavedModel (folder) or frozen graph (file). Each process loads TensorFlow and the model once."""

    path: Path
    digest: str
    class_names: Mapping[int, str] = field(repr=False)

    @property
    def class_embeddings(self) -> NDArray[np.float32]:
        """One-hot vectors, shape (classes, classes), because similarities between classes are unknown."""
        return np.eye(len(self.class_names), dtype=np.float32)

    def detect(self, image: RgbImage) -> DetectedObjects:
        """Detect objects, with masks if the model returns masks; see `LiteRTDetector.detect`."""
        outputs = _load(self.path, self.digest)(image)
        scores, boxes = (np.asarray(outputs[f"detection_{name}"][0], np.float32) for name in ("scores", "boxes"))
        masks = outputs.get(_MASKS)
        objects = DetectedObjects(
            boxes=boxes.clip(0, 1),
            class_ids=np.rint(outputs["detection_classes"][0]).astype(np.int64),
            scores=scores,
            masks=None if masks is None else _crop_masks(np.asarray(masks[0], np.float32), boxes, image),
        )
        ranked = np.argsort(-scores, kind="stable")
        is_known = np.isin(objects.class_ids[ranked], list(self.class_names))
        return objects.select(ranked[is_known & (scores[ranked] >= MIN_SCORE)])


def find_model(name: str) -> Path:
    """Return the path of a model. A model with a handle of kaggle.com/models is downloaded first.

    An example of a handle is `tensorflow/mask-rcnn-inception-resnet-v2/tensorFlow2/1024x1024`. A failed download raises
    a `ValueError`.
    """
    path = Path(name).expanduser()
    if path.name == _SAVED_MODEL:
        return path.parent
    if path.exists() or not _KAGGLE_HANDLE.fullmatch(name):
        return path
    try:
        model_download = importlib.import_module("kagglehub").model_download
    except ImportError:
        raise ValueError(f"{path} does not exist; to download it from kaggle.com: pip install kagglehub") from None
    try:
        return Path(model_download(name))
    except Exception as error:  # errors of kagglehub have no common base class
        logger.exception("kagglehub cannot download %s", name)
        raise ValueError(
            f"{name} cannot be downloaded ({error}): check the handle and the internet connection"
        ) from error


def digest_model(path: Path) -> str:
    """Compute the digest of a model's files, or raise a `ValueError` if there is no model."""
    if path.is_file():
        return fingerprint_file(path)
    if not (path / _SAVED_MODEL).is_file():
        raise ValueError(
            f"{path} is not a model: specify the folder of a SavedModel, which contains {_SAVED_MODEL}, "
            "or a frozen graph file"
        )
    return fingerprint([fingerprint_file(file) for file in sorted(path.rglob("*")) if file.is_file()])


def read_label_map(file: Path) -> Mapping[int, str]:
    """Read a label map of the TensorFlow Object Detection API (`*.pbtxt`): items such as `item {id: 1 name: 'cat'}`.

    A `display_name` takes precedence over a `name`. A `ValueError` is raised if the file is unreadable or has no class.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The label map {file} cannot be read ({error}): specify the path of a .pbtxt file") from error
    items = _ITEM.findall(_COMMENT.sub("", text))
    parsed = [(_NUMBER.search(item), _DISPLAY_NAME.search(item) or _NAME.search(item)) for item in items]
    names = {int(number[1]): name[2] for number, name in parsed if number and name}
    if not names:
        raise ValueError(f"The label map {file} contains no class: add items such as item {{ id: 1 name: 'cat' }}")
    return names


def open_saved_detector(path: Path, class_names: Mapping[int, str]) -> SavedDetector:
    """Open a model and test it on a black image. Raises a `ValueError` if the model does not follow the contract."""
    names = {str(number): name for number, name in class_names.items()}
    detector = SavedDetector(path.absolute(), fingerprint(digest_model(path), names), class_names)
    try:
        detector.detect(np.zeros((64, 64, 3), np.uint8))
    except ValueError:
        raise
    except Exception as error:  # a user's model can raise any exception
        logger.exception("%s fails on a test image", path)
        raise ValueError(
            f"{path} cannot process an image ({type(error).__name__}): export it with the Object Detection API"
        ) from error
    return detector


def _crop_masks(masks: NDArray[np.float32], boxes: Boxes, image: RgbImage) -> NDArray[np.float32]:
    """Crop each mask to the part of the box that is in the image."""
    if masks.shape[1:] == image.shape[:2]:
        return masks
    height, width = masks.shape[1:]
    cropped = masks.copy()
    for row in np.flatnonzero((boxes != boxes.clip(0, 1)).any(axis=1)):
        top, left, bottom, right = boxes[row]
        rows = (np.linspace(max(top, 0), min(bottom, 1), height) - top) / (bottom - top) * (height - 1)
        columns = (np.linspace(max(left, 0), min(right, 1), width) - left) / (right - left) * (width - 1)
        map_x, map_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        cropped[row] = cv2.remap(masks[row], map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cropped


@lru_cache(maxsize=1)
def _load(path: Path, _digest: str) -> Run:
    tf = import_tensorflow()
    with suppress_stderr():
        # One thread and minimal GPU memory, because there are as many processes as cores.
        with contextlib.suppress(RuntimeError):  # TensorFlow is already initialised in this process
            tf.config.threading.set_intra_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
        return _load_saved_model(tf, path) if path.is_dir() else _load_frozen_graph(tf, path)


def _load_saved_model(tf: ModuleType, path: Path) -> Run:
    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]
    _check_outputs(path, signature.structured_outputs)
    (name, source), *others = signature.structured_input_signature[1].items()
    if others:
        raise ValueError(f"{path} requires inputs other than an image: export it with the Object Detection API")

    def run(image: RgbImage) -> Outputs:
        # The closure keeps a reference to the model; otherwise its variables are deleted.
        outputs = model.signatures["serving_default"](**{name: tf.constant(image[np.newaxis], source.dtype)})
        return {output: tensor.numpy() for output, tensor in outputs.items()}

    return run


def _load_frozen_graph(tf: ModuleType, path: Path) -> Run:
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    nodes = {node.name for node in graph.node}
    _check_outputs(path, nodes)
    names = [name for name in (*_REQUIRED, _MASKS) if name in nodes]
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    function = imported.prune("image_tensor:0", [f"{name}:0" for name in names])

    def run(image: RgbImage) -> Outputs:
        tensors = function(tf.constant(image[np.newaxis], tf.uint8))
        return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}

    return run


def _check_outputs(path: Path, outputs: Container[str]) -> None:
    missing = [name for name in _REQUIRED if name not in outputs]
    if missing:
        raise ValueError(f"{path} has no output {', '.join(missing)}: export it with the Object Detection API")
