"""Name the object in each frame of each video."""

from collections.abc import Iterator
from functools import partial
from operator import attrgetter

from pandera.typing import DataFrame

from video_recommender.incremental.parallel import WorkerOptions
from video_recommender.incremental.partitions import Partitions, PartitionUpdates, StoredPartition
from video_recommender.incremental.updates import Made, Part, Planned, bring_parts_up_to_date
from video_recommender.media.frames import FrameFolder
from video_recommender.media.manifests import tell_of_videos
from video_recommender.networks.detections import VERSION as DETECTION_VERSION
from video_recommender.networks.detections import VideoDetections, name_objects
from video_recommender.networks.efficientnet_lite import VARIANTS, read_efficientnet_lite
from video_recommender.networks.frame_classifier import FrameClassifier
from video_recommender.networks.keras_classifier import load_into_keras, workers_for
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
    DetectionManifest,
    Detections,
    FrameManifest,
    MeanEmbedding,
)
from video_recommender.storage.digests import fingerprint


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
            fingerprint(DETECTION_VERSION, stored.record.fingerprint, object_classifier.fingerprint, *reuse),
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


def _detect(
    frames: StoredPartition[FrameFolder], classifier: FrameClassifier, reuse_below: float | None
) -> Made[VideoDetections]:
    named = name_objects(frames.load(), classifier, reuse_below)
    return Made(named, {"frames": len(named.detections)})
