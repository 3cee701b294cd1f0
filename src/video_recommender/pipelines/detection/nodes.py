"""Name the object in each frame of each video."""


import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import FrameFolder
from video_recommender.media.manifests import build_manifest
from video_recommender.networks.detections import VideoDetections, name_objects
from video_recommender.networks.efficientnet_lite import VARIANTS, read_efficientnet_lite
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.keras_classifier import load_into_keras
from video_recommender.networks.litert_classifier import compile_for_cpu, write_for_cpu
from video_recommender.networks.pretrained import (
    DetectionOptions,
    build_network,
    class_embeddings,
    tabulate_class_weights,
)
from video_recommender.schemas import (
    ClassEmbeddings,
    ClassScores,
    ClassScoreTable,
    DetectionManifest,
    Detections,
    FrameManifest,
    MeanEmbedding,
    VideoEmbeddings,
)


def prepare_object_classifier(options: DetectionOptions) -> tuple[FrameClassifier, DataFrame[ClassEmbeddings]]:
    """Get the pre-trained network that tells 1,000 kinds of object apart ready to run.

    Args:
        options: see `DetectionOptions`.

    Returns:
        The network, which a worker needs no TensorFlow for, unless it is left to Keras; and what its last layer knows
        of how classes resemble each other.
    """
    if options.engine == "litert" and options.network in VARIANTS:
        lite = read_efficientnet_lite(options.network)
        return write_for_cpu(lite), tabulate_class_weights(lite.class_weights)
    network = build_network(options.network)
    make = load_into_keras if options.engine == "keras" else compile_for_cpu
    return make(network, options.network), class_embeddings(network)


@depends_on("ai-edge-litert", "opencv-python-headless")
def detect_objects(frames: FrameFolder, classifier: FrameClassifier, options: DetectionOptions) -> VideoDetections:
    """Classify every frame of a video.

    Args:
        frames: in order of time.
        classifier: the network, ready to run.
        options: see `DetectionOptions`.

    Returns:
        The most probable class of each frame; the mean class scores and the mean embedding of the video.

    Raises:
        VideoError: if a frame cannot be read.
    """
    return name_objects(frames, classifier, options.reuse_below)


def summarise_detections(
    detections: Partitions[DataFrame[Detections]], frame_manifest: DataFrame[FrameManifest]
) -> DataFrame[DetectionManifest]:
    """Tell what became of each video's detections; a video whose frames failed keeps the reason why."""
    columns = list(DetectionManifest.to_schema().columns)
    return DetectionManifest.validate(build_manifest(detections.manifest(columns, key="video_id"), frame_manifest))


def gather_class_scores(
    class_scores: Partitions[DataFrame[ClassScores]],
) -> DataFrame[ClassScoreTable]:
    """Put every video's mean class probabilities into one table."""
    return ClassScoreTable.validate(class_scores.table(list(ClassScoreTable.to_schema().columns), key="video_id"))


def gather_embeddings(embeddings: Partitions[DataFrame[MeanEmbedding]]) -> DataFrame[VideoEmbeddings]:
    """Put every video's mean embedding into one table: what recommendations are compared with."""
    blocks = embeddings.blocks(key="video_id")
    rows = [block["value"].to_numpy().reshape(block["video_id"].nunique(), -1) for block in blocks]
    table = pd.DataFrame(np.concatenate(rows) if rows else None).add_prefix("feature_")
    return VideoEmbeddings.validate(table.set_index(pd.Index(embeddings, name="video_id", dtype=str)))
