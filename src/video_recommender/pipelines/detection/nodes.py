"""Name the object in each frame of each video."""

from collections.abc import Iterator
from functools import partial
from operator import attrgetter

import numpy as np
import pandas as pd
from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import Partitions, PartitionUpdates, StoredPartition
from video_recommender.incremental.updates import Made, Part, Planned, bring_parts_up_to_date
from video_recommender.media.frames import FrameFolder
from video_recommender.media.manifests import tell_of_videos
from video_recommender.networks.conversion import convert_pretrained, run_in_subprocess
from video_recommender.networks.detections import VERSION as DETECTION_VERSION
from video_recommender.networks.detections import DetectionOptions, VideoDetections, classify_frames
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.keras_classifier import make_keras_classifier, workers_for
from video_recommender.networks.pretrained import (
    build_network,
    class_embeddings,
    imagenet_class_names,
    last_layer_weights,
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
from video_recommender.storage.digests import fingerprint


def prepare_object_classifier(options: DetectionOptions) -> tuple[FrameClassifier, DataFrame[ClassEmbeddings]]:
    """Prepare the pre-trained network for inference.

    Args:
        options: see `DetectionOptions`.

    Returns:
        The network, and the class embeddings of its last layer.
    """
    if options.engine == "litert":
        classifier, class_weights = run_in_subprocess(convert_pretrained, options.network)
        return classifier, class_embeddings(class_weights, imagenet_class_names())
    network = build_network(options.network)
    class_weights = last_layer_weights(network)[0].T
    return make_keras_classifier(network, options.network), class_embeddings(class_weights, imagenet_class_names())


def detect_objects(
    frames: Partitions[FrameFolder],
    stored_detections: Partitions[DataFrame[Detections]],
    stored_class_scores: Partitions[DataFrame[ClassScores]],
    stored_embeddings: Partitions[DataFrame[MeanEmbedding]],
    object_classifier: FrameClassifier,
    options: DetectionOptions,
    workers: WorkerOptions,
) -> Iterator[tuple[PartitionUpdates, ...]]:
    """Name the most probable object in every frame.

    Args:
        frames: per video, the folder of its frames in order of time.
        stored_detections: the detections that earlier runs have left.
        stored_class_scores: the mean class probabilities that earlier runs have left.
        stored_embeddings: the mean embeddings that earlier runs have left.
        object_classifier: the network, ready to run.
        options: see `DetectionOptions`.
        workers: see `WorkerOptions`.

    Yields:
        One video's detections, mean class probabilities and mean embedding at a time, so that they are saved as soon
        as they are known.
    """
    reuse = () if options.reuse_below is None else (options.reuse_below,)
    planned = {
        video_id: Planned(
            fingerprint(DETECTION_VERSION, stored.record.fingerprint, object_classifier.digest, *reuse),
            stored,  # the worker that needs it loads it, which takes long for a hundred thousand that are done
        )
        for video_id, stored in frames.usable().items()
    }
    parts = [
        Part(stored_detections, attrgetter("detections")),
        Part(stored_class_scores, attrgetter("class_scores")),
        Part(stored_embeddings, attrgetter("embedding")),
    ]
    detect = partial(_detect, classifier=object_classifier, reuse_below=options.reuse_below)
    workers = workers_for(object_classifier, workers)
    yield from bring_parts_up_to_date(planned, parts, detect, workers, "Naming objects in frames")


def summarise_detections(
    detections: Partitions[DataFrame[Detections]], frame_manifest: DataFrame[FrameManifest]
) -> DataFrame[DetectionManifest]:
    """Tell what became of each video's detections; a video whose frames failed keeps the reason why."""
    columns = list(DetectionManifest.to_schema().columns)
    return DetectionManifest.validate(tell_of_videos(detections, frame_manifest, columns))


def gather_class_scores(
    class_scores: Partitions[DataFrame[ClassScores]],
) -> DataFrame[ClassScoreTable]:
    """Put every video's mean class probabilities into one table."""
    return ClassScoreTable.validate(class_scores.usable().table(list(ClassScoreTable.to_schema().columns)))


def gather_embeddings(embeddings: Partitions[DataFrame[MeanEmbedding]]) -> DataFrame[VideoEmbeddings]:
    """Put every video's mean embedding into one table: what recommendations are compared with."""
    usable = embeddings.usable()
    rows = [block["value"].to_numpy().reshape(block["video_id"].nunique(), -1) for block in usable.blocks()]
    table = pd.DataFrame(np.concatenate(rows) if rows else None).add_prefix("feature_")
    return VideoEmbeddings.validate(table.set_index(pd.Index(usable, name="video_id", dtype=str)))


def _detect(
    frames: StoredPartition[FrameFolder], classifier: FrameClassifier, reuse_below: float | None
) -> Made[VideoDetections]:
    named = classify_frames(frames.load(), classifier, reuse_below)
    return Made(named, {"frames": len(named.detections)})
