"""Detect the objects in the frames of each video, and measure their areas."""

from dataclasses import dataclass
from itertools import groupby
from typing import Final

import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import FrameFolder, build_manifest
from video_recommender.networks.coco_detector import COCO_CLASSES, COCO_THRESHOLDS, convert_coco_detector
from video_recommender.networks.object_masks import overlay_figure
from video_recommender.networks.object_segmenter import (
    ObjectDetector,
    ObjectSegmenter,
    SegmentationOptions,
    group_classes,
    group_embeddings,
    segment_video,
)
from video_recommender.networks.pretrained import run_in_subprocess
from video_recommender.networks.saved_detector import digest_model, find_model, open_saved_detector, read_label_map
from video_recommender.schemas import (
    ClassEmbeddings,
    FrameManifest,
    SegmentationManifest,
    Segmentations,
    SegmentationScores,
)

DEFAULT_THRESHOLD: Final = 0.3  # confidence threshold of classes without a measured threshold


@dataclass(frozen=True)
class SegmentedVideo:
    """Outputs of `segment_objects`. `properties` has the number of frames and the expected objects per frame."""

    segmentations: DataFrame[Segmentations]
    segmentations_csv: DataFrame[Segmentations]
    segmentation_scores: DataFrame[SegmentationScores]
    properties: dict[str, float]


def identify_segmentation_model(options: SegmentationOptions) -> dict[str, str]:
    """Compute digests of the files of a user's model to detect changes. The default detector has no digests."""
    if options.model is None:
        return {}
    labels = {"labels": str(read_label_map(options.labels))} if options.labels else {}
    return {"model": digest_model(find_model(options.model)), **labels}


def build_object_segmenter(segmentation_model: dict[str, str], options: SegmentationOptions) -> ObjectSegmenter:
    """Prepare the detector with its class names and confidence thresholds.

    Args:
        segmentation_model: digests. They are not used, but if they change, the segmenter becomes stale.
        options: model, classes and thresholds.

    Raises:
        ValueError: if the model or its label map is unreadable, or an option contains an unknown class.
    """
    detector: ObjectDetector
    if options.model is None:
        detector, measured = run_in_subprocess(convert_coco_detector), COCO_THRESHOLDS
    else:
        names = read_label_map(options.labels) if options.labels else COCO_CLASSES
        detector, measured = open_saved_detector(find_model(options.model), names), {}
    class_names = group_classes(detector.class_names, options.groups, keep_others=options.keep_others)
    unknown = ", ".join(sorted(options.class_confidence.keys() - set(class_names.values())))
    if unknown:
        raise ValueError(f"segmentation.class_confidence contains classes unknown to the model: {unknown}")
    thresholds = {
        number: options.class_confidence.get(name)
        or options.confidence
        or measured.get(detector.class_names[number], DEFAULT_THRESHOLD)
        for number, name in class_names.items()
    }
    return ObjectSegmenter(detector, class_names, thresholds, options.every_nth_frame, options.masks)


def read_segmented_classes(object_segmenter: ObjectSegmenter) -> DataFrame[ClassEmbeddings]:
    """Return the detector's class embeddings, averaged by group of classes."""
    detector = object_segmenter.detector
    return group_embeddings(detector.class_names, detector.class_embeddings, object_segmenter.class_names)


@depends_on("ai-edge-litert", "opencv-python-headless")
def segment_objects(frames: FrameFolder, segmenter: ObjectSegmenter) -> SegmentedVideo:
    """Detect and measure the objects in every n-th frame of a video, or raise a `VideoError`."""
    video = segment_video(frames, segmenter)
    expected = float(video.objects["confidence"].sum()) / video.frames
    properties = {"frames": video.frames, "expected_objects": round(expected, 3)}
    return SegmentedVideo(video.objects, video.objects, video.segmentation_scores, properties)


def summarise_segmentations(
    segmentations: Partitions[DataFrame[Segmentations]], frame_manifest: DataFrame[FrameManifest]
) -> DataFrame[SegmentationManifest]:
    """Return the status of each video's segmentation. Videos without frames keep the error of preprocessing."""
    columns = list(SegmentationManifest.to_schema().columns)
    states = segmentations.manifest(columns, key="video_id")
    return SegmentationManifest.validate(build_manifest(states, frame_manifest))


def draw_segmentation_overlays(
    frames: Partitions[FrameFolder],
    segmentations: Partitions[DataFrame[Segmentations]],
    object_segmenter: ObjectSegmenter,
    options: SegmentationOptions,
) -> go.Figure:
    """Draw boxes, masks, names and areas on the frames of selected videos, one strip of frames per video.

    By default, the video of each category with the most expected objects per frame is selected. The videos are
    segmented again, because masks are not stored.

    Raises:
        ValueError: if `options.overlays` contains a video that has no segmentation.
    """
    missing = [video_id for video_id in options.overlays if video_id not in segmentations]
    if missing:
        raise ValueError(
            f"segmentation.overlays contains videos without segmentation ({', '.join(missing)}): "
            "see segmentation_manifest"
        )
    selected = options.overlays or _videos_with_most_objects(segmentations)
    return overlay_figure({video_id: object_segmenter.segment(frames.load(video_id)) for video_id in selected})


def _videos_with_most_objects(segmentations: Partitions[DataFrame[Segmentations]]) -> list[str]:
    expected = {key: float(segmentations.states[key].properties["expected_objects"] or 0) for key in segmentations}
    by_category = groupby(expected, key=lambda video_id: video_id.split("/")[0])
    return [max(video_ids, key=expected.__getitem__) for _, video_ids in by_category]
