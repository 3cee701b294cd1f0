"""Classify the frames of one video: the most probable class of each frame, and means over all frames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, cast

import cv2
import numpy as np
import pandas as pd
from pandera.typing import DataFrame
from pydantic import BaseModel, PositiveFloat

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames, Picture
from video_recommender.media.video import VideoError
from video_recommender.networks.frame_classifier import FrameClassifier, FramePredictions
from video_recommender.networks.pretrained import Network
from video_recommender.schemas import ClassScores, Detections, MeanEmbedding

PROBABILITY_FLOOR: Final = 1e-4
"""Smaller mean probabilities are dropped; a uniform distribution over 1000 classes has ten times as much."""

BATCH_FRAMES: Final = 32  # frames decoded at a time, so that memory does not grow with the length of the video


class DetectionOptions(BaseModel, extra="forbid", frozen=True):
    """Which network classifies frames, and how (parameters_detection.yml)."""

    network: Network = "efficientnet-lite0"
    engine: Literal["litert", "keras"] = "litert"
    reuse_below: PositiveFloat | None = None


@dataclass(frozen=True)
class VideoDetections:
    """The most probable class of each frame of one video, and means over its frames.

    The class scores are sorted, highest first; classes below `PROBABILITY_FLOOR` are dropped.
    """

    detections: DataFrame[Detections]
    class_scores: DataFrame[ClassScores]
    embedding: DataFrame[MeanEmbedding]

    @property
    def properties(self) -> dict[str, int]:
        """What the state row of the video stores."""
        return {"frames": len(self.detections)}


def classify_frames(
    frames: FrameFolder | EncodedFrames | Frames, classifier: FrameClassifier, reuse_below: float | None = None
) -> VideoDetections:
    """Classify every frame of one video.

    Args:
        frames: in order of time: a folder, JPEGs, or uint8 RGB, shape (n, height, width, 3).
        classifier: see `LiteRTClassifier`.
        reuse_below: reuse the last prediction for frames whose mean absolute difference from the last classified frame
            is smaller, grey levels (0 to 255); None classifies every frame.

    Raises:
        VideoError: if there is no frame or a frame is not a readable picture.
    """
    batches = batch_pictures(iter(frames) if isinstance(frames, np.ndarray) else frames.pictures())
    predictions: Iterable[FramePredictions] = map(classifier.predict, batches)
    if reuse_below is not None:
        predictions = predict_changed_frames(batches, classifier, reuse_below)
    name = str(frames.path) if isinstance(frames, FrameFolder) else "The video"
    return summarize_predictions(predictions, classifier.class_names, name)


def summarize_predictions(
    predictions: Iterable[FramePredictions], class_names: Sequence[str], name: str
) -> VideoDetections:
    """Summarize the predictions for the frames of one video, or raise a `VideoError` with its name if it has none."""
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
    # Schemas are checked on saving; checking here too would take as long as classifying a frame.
    return VideoDetections(
        cast("DataFrame[Detections]", detections),
        cast("DataFrame[ClassScores]", class_scores),
        cast("DataFrame[MeanEmbedding]", embedding),
    )


def predict_changed_frames(
    batches: Iterable[Frames], classifier: FrameClassifier, threshold: float
) -> Iterator[FramePredictions]:
    """Classify the frames that differ from the last classified one, and reuse its prediction for the others.

    The reference is the last classified frame, not the previous frame, so that slow changes accumulate. A frame is
    classified if its mean absolute difference reaches the threshold, in grey levels (0 to 255).
    """
    reference: Picture | None = None
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


def batch_pictures(pictures: Iterator[Picture]) -> Iterator[Frames]:
    """Stack pictures in batches of `BATCH_FRAMES`: decoding and inference evict each other from the CPU's cache."""
    while batch := list(islice(pictures, BATCH_FRAMES)):
        yield np.stack(batch)


def mean_absolute_difference(frame: Picture, other: Picture) -> float:
    """Compute the mean absolute difference over pixels and channels, grey levels (0 to 255)."""
    return cv2.norm(frame, other, cv2.NORM_L1) / frame.size
