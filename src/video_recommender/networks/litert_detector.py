"""A detector compiled for the CPU: finds objects in a picture without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from video_recommender.media.frames import Picture
from video_recommender.networks.found_objects import FoundObjects
from video_recommender.networks.litert_interpreter import load_interpreter
from video_recommender.networks.repeated_boxes import best_boxes

LEAST_SCORE: Final = 0.05
"""What scores less is not told: too much of it is noise."""

MOST_OVERLAP: Final = 0.6
"""Of two boxes of one class with a greater intersection over union, the better one is kept: the network's own value."""

MOST_OBJECTS: Final = 100


@dataclass(frozen=True)
class LiteRTDetector:
    """A single-shot detector (Liu et al. 2016, https://arxiv.org/abs/1512.02325) for LiteRT.

    Two of them are equal if their fingerprints are.

    Attributes:
        fingerprint: digest of the weights.
        class_names: by number; number 0 is the background.
        class_embeddings: see `ObjectDetector`.
        flatbuffer: the compiled network, uint8, from a picture to the boxes and the scores of its anchors.
    """

    fingerprint: str
    class_names: Mapping[int, str] = field(compare=False, repr=False)
    class_embeddings: NDArray[np.float32] = field(compare=False, repr=False)
    flatbuffer: NDArray[np.uint8] = field(compare=False, repr=False)

    def find(self, picture: Picture) -> FoundObjects:
        """Find objects, also very doubtful ones, the most certain first.

        Args:
            picture: uint8 RGB, shape (height, width, 3), of any size.

        Returns:
            Boxes without masks.
        """
        interpreter = load_interpreter(self.fingerprint, self.flatbuffer)
        (source,), targets = interpreter.get_input_details(), interpreter.get_output_details()
        _, height, width, _ = source["shape"]
        resized = _resize(picture, int(height), int(width))
        interpreter.set_tensor(source["index"], resized[np.newaxis] * np.float32(2 / 255) - np.float32(1))
        interpreter.invoke()
        outputs = [interpreter.get_tensor(target["index"]) for target in targets]
        boxes, scores = sorted((output.reshape(-1, output.shape[-1]) for output in outputs), key=np.size)
        return suppress_repeats(boxes, scores)


def suppress_repeats(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> FoundObjects:
    """Keep, of boxes that show the same object, the best one: non-maximum suppression, class by class.

    Args:
        boxes: float32, shape (anchors, 4): top, left, bottom, right, shares of the picture, perhaps beyond its edges.
        scores: float32, shape (anchors, classes); the first class is the background.

    Returns:
        At most `MOST_OBJECTS`, the most certain first.
    """
    anchors, classes = np.nonzero(scores[:, 1:] >= LEAST_SCORE)
    found, numbers, certainty = boxes[anchors].clip(0, 1), classes.astype(np.int64) + 1, scores[anchors, classes + 1]
    best = best_boxes(found, numbers, certainty, MOST_OVERLAP)[:MOST_OBJECTS]
    return FoundObjects(found[best], numbers[best], certainty[best])


def _resize(picture: Picture, height: int, width: int) -> Picture:
    """Resize as the network was trained: TensorFlow 1's bilinear interpolation, whose pixels have no middle."""
    scales = np.diag([picture.shape[1] / width, picture.shape[0] / height])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    resized = cv2.warpAffine(
        picture, np.column_stack([scales, np.zeros(2)]), (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    return resized.astype(np.uint8, copy=False)
