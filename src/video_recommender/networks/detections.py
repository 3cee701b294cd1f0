"""Classification of the frames of one video: the most probable class of each frame, and means over all frames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, cast

import cv2
import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from pydantic import BaseModel, PositiveFloat

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames, RgbImage
from video_recommender.media.video import VideoError
from video_recommender.networks.frame_classifier import FrameClassifier, FramePredictions
from video_recommender.networks.pretrained import Network
from video_recommender.schemas import ClassScores, Detections, MeanEmbedding

PROBABILITY_FLOOR: Final = 1e-4
"""Classes with a lower mean probability are dropped. Each of 1,000 equally probable classes has 10 times this value."""

BATCH_FRAMES: Final = 32  # decoded at a time, so that memory does not grow with the length of the video


class DetectionOptions(BaseModel, extra="forbid", frozen=True):
    """Network and engine that classify frames (parameters_detection.yml)."""

    network: Network = "efficientnet-lite0"
    engine: Literal["litert", "keras"] = "litert"
    reuse_below: PositiveFloat | None = None


@dataclass(frozen=True)
class VideoDetections:
    """The most probable class of each frame of one video, and means over its frames.

    The class scores are in descending order, without classes below `PROBABILITY_FLOOR`.
    """

    detections: DataFrame[Detections]
    class_scores: DataFrame[ClassScores]
    embedding: DataFrame[MeanEmbedding]

    @property
    def properties(self) -> dict[str, int]:
        """Properties in the state of the video."""
        return {"frames": len(self.detections)}


def classify_frames(
    frames: FrameFolder | EncodedFrames | Frames, classifier: FrameClassifier, reuse_below: float | None = None
) -> VideoDetections:
    """Classify every frame of one video.

    Args:
        frames: frames in order of time: a folder, JPEGs, or an array, uint8 RGB, shape (n, height, width, 3).
        classifier: the network.
        reuse_below: a frame reuses the last prediction if its mean absolute difference from the last classified frame,
            in grey levels (0 to 255), is below this value. If None, every frame is classified.

    Raises:
        VideoError: if there are no frames, or a frame is not a readable image.
    """
    batches = batch_frames(iter(frames) if isinstance(frames, np.ndarray) else frames.images())
    predictions: Iterable[FramePredictions] = map(classifier.predict, batches)
    if reuse_below is not None:
        predictions = predict_changed_frames(batches, classifier, reuse_below)
    name = str(frames.path) if isinstance(frames, FrameFolder) else "The video"
    return summarise_predictions(predictions, classifier.class_names, name)


def summarise_predictions(
    predictions: Iterable[FramePredictions], class_names: Sequence[str], name: str
) -> VideoDetections:
    """Summarise the predictions for the frames of one video, or raise a `VideoError` if there are none."""
    best: list[int] = []
    confidences: list[float] = []
    probabilities, embeddings = np.zeros(1), np.zeros(1)
    for batch in predictions:
        best.extend(batch.probabilities.argmax(axis=1))
        confidences.extend(batch.probabilities.max(axis=1).clip(max=1))
        probabilities = probabilities + batch.probabilities.sum(axis=0, dtype=np.float64)
        embeddings = embeddings + batch.embeddings.sum(axis=0, dtype=np.float64)
    if not best:
        raise VideoError("damaged", f"{name} contains no frames: delete it and run preprocessing again")
    names = np.array(class_names, dtype=object)
    detections = pd.DataFrame(
        {
            "frame": np.arange(1, len(best) + 1, dtype=np.int64),
            "class_name": pd.Series(names[best], dtype="str"),
            "confidence": np.array(confidences, dtype=np.float32),
        }
    )
    means = probabilities / len(best)
    kept = np.flatnonzero(means >= PROBABILITY_FLOOR)
    ranked = kept[np.lexsort((names[kept], -means[kept]))]
    class_scores = pd.DataFrame(
        {"class_name": pd.Series(names[ranked], dtype="str"), "probability": means[ranked].clip(max=1)}
    )
    embedding = pd.DataFrame({"value": (embeddings / len(best)).astype(np.float32)})
    # Schemas are validated only on saving, because validating here takes as long as classifying a frame.
    return VideoDetections(
        cast("DataFrame[Detections]", detections),
        cast("DataFrame[ClassScores]", class_scores),
        cast("DataFrame[MeanEmbedding]", embedding),
    )


def predict_changed_frames(
    batches: Iterable[Frames], classifier: FrameClassifier, threshold: float
) -> Iterator[FramePredictions]:
    """Classify frames that differ from the last classified frame, and reuse the last prediction for the other frames.

    A frame is classified if its mean absolute difference from the last classified frame, in grey levels (0 to 255),
    reaches the threshold. Slow changes accumulate, because a frame is not compared with the previous frame.
    """
    reference: RgbImage | None = None
    last: FramePredictions | None = None
    for batch in batches:
        is_changed = np.zeros(len(batch), dtype=bool)
        for number, frame in enumerate(batch):
            if reference is None or mean_absolute_difference(frame, reference) >= threshold:
                reference, is_changed[number] = frame, True
        rows = np.cumsum(is_changed) - (last is None)
        if is_changed.any():
            new = classifier.predict(batch[is_changed])
            last = new if last is None else last.append(new)
        assert last is not None  # the first frame of a video is always classified
        yield last.select(rows)
        last = last.select(rows[-1:])


def batch_frames(images: Iterator[RgbImage]) -> Iterator[Frames]:
    """Stack images in batches of up to `BATCH_FRAMES`, because alternating decoding and inference is slower."""
    while batch := list(islice(images, BATCH_FRAMES)):
        yield np.stack(batch)


def mean_absolute_difference(frame: RgbImage, other: RgbImage) -> float:
    """Compute the mean absolute difference over pixels and channels, in grey levels (0 to 255)."""
    return cv2.norm(frame, other, cv2.NORM_L1) / frame.size
