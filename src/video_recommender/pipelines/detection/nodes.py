"""Classify every frame of each video."""

from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import FrameFolder, build_manifest
from video_recommender.networks.detections import DetectionOptions, VideoDetections, classify_frames
from video_recommender.networks.frame_classifier import FrameClassifier, convert_pretrained, make_keras_classifier
from video_recommender.networks.pretrained import (
    build_network,
    class_embeddings,
    imagenet_class_names,
    last_layer_weights,
    run_in_subprocess,
)
from video_recommender.schemas import ClassEmbeddings, DetectionManifest, Detections, FrameManifest


def prepare_object_classifier(options: DetectionOptions) -> tuple[FrameClassifier, DataFrame[ClassEmbeddings]]:
    """Prepare the pre-trained network for inference, and read the class embeddings from its last layer."""
    classifier: FrameClassifier
    if options.engine == "litert":
        classifier, class_weights = run_in_subprocess(convert_pretrained, options.network)
    else:
        network = build_network(options.network)
        classifier, class_weights = make_keras_classifier(network, options.network), last_layer_weights(network)[0].T
    return classifier, class_embeddings(class_weights, imagenet_class_names())


@depends_on("ai-edge-litert", "opencv-python-headless")
def detect_objects(frames: FrameFolder, classifier: FrameClassifier, options: DetectionOptions) -> VideoDetections:
    """Classify every frame of one video, or raise a `VideoError` if a frame is missing or unreadable."""
    return classify_frames(frames, classifier, options.reuse_below)


def summarise_detections(
    detections: Partitions[DataFrame[Detections]], frame_manifest: DataFrame[FrameManifest]
) -> DataFrame[DetectionManifest]:
    """Return the status of each video's detections. Videos without frames keep the error of preprocessing."""
    columns = list(DetectionManifest.to_schema().columns)
    return DetectionManifest.validate(build_manifest(detections.manifest(columns, key="video_id"), frame_manifest))
