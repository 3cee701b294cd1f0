"""Name the most probable object in each frame of a video, and how probable every object is in the video as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames
from video_recommender.media.video import VideoError
from video_recommender.networks.frame_classifier import FrameClassifier, FrameDescriptions
from video_recommender.networks.frame_reuse import describe_changed
from video_recommender.schemas import ClassScores, Detections, MeanEmbedding

VERSION = 1
"""Raised when the same frames and network would give other detections than before, so that they are made again."""

PROBABILITY_FLOOR = 1e-4
"""Smaller mean probabilities are not kept: an even guess among 1000 classes would give each ten times as much."""

BATCH_FRAMES = 32
"""How many frames are decoded at a time, so that memory does not grow with the length of the video."""


@dataclass(frozen=True)
class VideoDetections:
    """What a network has seen in one video.

    Attributes:
        detections: the most probable object in each frame.
        class_scores: each object's mean probability over the frames, most probable first; objects below
            `PROBABILITY_FLOOR` are left out.
        embedding: the mean over the frames of what the network's last layer looks at.
    """

    detections: DataFrame[Detections]
    class_scores: DataFrame[ClassScores]
    embedding: DataFrame[MeanEmbedding]


def name_objects(
    frames: FrameFolder | EncodedFrames | Frames, classifier: FrameClassifier, reuse_below: float | None = None
) -> VideoDetections:
    """Name the objects in a video, running the network at most once over each frame.

    Args:
        frames: the video's frames in order of time: a folder, JPEGs, or uint8 RGB, shape (n, height, width, 3).
        classifier: network with its class names.
        reuse_below: a frame that differs less from the last one that the network has read, in mean grey levels (0 to
            255), takes over what was seen there; None runs the network over every frame.

    Returns:
        See `VideoDetections`.

    Raises:
        VideoError: if there is no frame or a frame is not a readable picture.
    """
    pictures = iter(frames) if isinstance(frames, np.ndarray) else frames.pictures()
    # Decoding and inference take turns in batches, not frame by frame: they drive each other out of the CPU's cache.
    batches = (np.stack(batch) for batch in iter(lambda: list(islice(pictures, BATCH_FRAMES)), []))
    described = (
        map(classifier.describe, batches) if reuse_below is None else describe_changed(batches, classifier, reuse_below)
    )
    return summarise_descriptions(described, classifier.class_names, _name(frames))


def summarise_descriptions(
    described: Iterable[FrameDescriptions], class_names: Sequence[str], name: str
) -> VideoDetections:
    """Name the object in each frame from what a network makes of the frames.

    Args:
        described: batches of frames, in order of time.
        class_names: in the order of the probabilities.
        name: what to call the video in an error.

    Returns:
        See `VideoDetections`.

    Raises:
        VideoError: if there is no frame.
    """
    best: list[int] = []
    confidences: list[float] = []
    probabilities, embeddings = np.zeros(1), np.zeros(1)
    for batch in described:
        best.extend(batch.probabilities.argmax(axis=1))
        confidences.extend(batch.probabilities.max(axis=1).clip(max=1))
        probabilities = probabilities + batch.probabilities.sum(axis=0, dtype=np.float64)
        embeddings = embeddings + batch.embeddings.sum(axis=0, dtype=np.float64)
    if not best:
        raise VideoError("damaged", f"{name} holds no frames: delete it and run preprocessing again")
    names = np.array(class_names, dtype=object)
    detections = pd.DataFrame(
        {
            "frame": np.arange(1, len(best) + 1, dtype=np.int64),
            "class_name": pd.Series(names[best], dtype="str"),
            "confidence": np.array(confidences, dtype=np.float32),
        }
    )
    # Checked by their schemas where they are saved: here, too, it would take as long as the network takes for a frame.
    return VideoDetections(
        detections=cast("DataFrame[Detections]", detections),
        class_scores=cast("DataFrame[ClassScores]", _rank(names, probabilities / len(best))),
        embedding=cast(
            "DataFrame[MeanEmbedding]", pd.DataFrame({"value": (embeddings / len(best)).astype(np.float32)})
        ),
    )


def detect_objects_in_folder(folder: FrameFolder | EncodedFrames, classifier: FrameClassifier) -> DataFrame[Detections]:
    """Name the most probable object in each frame of a folder.

    Args:
        folder: the video's frames in order of time.
        classifier: network with its class names.

    Returns:
        A row per frame: `frame` (from 1), `class_name`, `confidence` (0 to 1).

    Raises:
        VideoError: if there is no frame or a frame is not a readable picture.
    """
    return name_objects(folder, classifier).detections


def _rank(names: NDArray[np.object_], means: NDArray[np.float64]) -> pd.DataFrame:
    kept = means >= PROBABILITY_FLOOR
    names, means = names[kept], means[kept].clip(max=1)
    ranked = np.lexsort((names, -means))
    return pd.DataFrame({"class_name": pd.Series(names[ranked], dtype="str"), "probability": means[ranked]})


def _name(frames: FrameFolder | EncodedFrames | Frames) -> str:
    return str(frames.path) if isinstance(frames, FrameFolder) else "The video"
