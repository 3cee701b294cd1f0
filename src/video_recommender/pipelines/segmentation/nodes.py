"""Find every object in the frames of each video, and measure how much of the picture each covers."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import plotly.graph_objects as go
from pandera.typing import DataFrame

from video_recommender.incremental import Partitions, depends_on
from video_recommender.media.frames import FrameFolder
from video_recommender.media.manifests import build_manifest
from video_recommender.networks.coco_detector import COCO_CLASSES, COCO_THRESHOLDS, convert_coco_detector
from video_recommender.networks.conversion import run_in_subprocess
from video_recommender.networks.object_segmenter import (
    ObjectDetector,
    ObjectSegmenter,
    SegmentationOptions,
    group_classes,
    group_embeddings,
    segment_video,
)
from video_recommender.networks.overlays import overlay_figure
from video_recommender.networks.saved_detector import digest_model, find_model, open_saved_detector, read_label_map
from video_recommender.schemas import (
    ClassEmbeddings,
    FrameManifest,
    SegmentationManifest,
    Segmentations,
    SegmentationScores,
)

CONFIDENCE: Final = 0.3
"""How sure a detector must be of classes for which nothing was measured."""


@dataclass(frozen=True)
class SegmentedVideo:
    """The objects of a video.

    Attributes:
        segmentations: a row per object and frame.
        segmentations_csv: the same, stored as CSV.
        segmentation_scores: what was seen of each class, also below its threshold.
        properties: number of segmented frames, and expected number of objects per frame.
    """

    segmentations: DataFrame[Segmentations]
    segmentations_csv: DataFrame[Segmentations]
    segmentation_scores: DataFrame[SegmentationScores]
    properties: Mapping[str, Any]


def identify_segmentation_model(options: SegmentationOptions) -> dict[str, str]:
    """Digest the files of a model of one's own, so that another one in their place is noticed.

    Returns:
        `model` and perhaps `labels`; nothing for the detector that comes with the packages.
    """
    if options.model is None:
        return {}
    labels = {"labels": str(read_label_map(options.labels))} if options.labels else {}
    return {"model": digest_model(find_model(options.model)), **labels}


def build_object_segmenter(segmentation_model: dict[str, str], options: SegmentationOptions) -> ObjectSegmenter:
    """Get the detector ready, and decide what to make of what it finds.

    Args:
        segmentation_model: changes with the files of a model of one's own.
        options: see `SegmentationOptions`.

    Raises:
        ValueError: if the model or its label map cannot be had, or a group names a class that it does not know.
    """
    del segmentation_model  # it is there for its change to be noticed
    detector = _open_detector(options)
    class_names = group_classes(detector.class_names, options.groups, keep_others=options.keep_others)
    return ObjectSegmenter(
        detector=detector,
        class_names=class_names,
        thresholds=_thresholds(detector.class_names, class_names, options),
        every_nth_frame=options.every_nth_frame,
        masks=options.masks,
    )


def read_segmented_classes(object_segmenter: ObjectSegmenter) -> DataFrame[ClassEmbeddings]:
    """Read what the detector's last layers know of how classes resemble each other."""
    detector = object_segmenter.detector
    return group_embeddings(detector.class_names, detector.class_embeddings, object_segmenter.class_names)


@depends_on("ai-edge-litert", "opencv-python-headless")
def segment_objects(frames: FrameFolder, segmenter: ObjectSegmenter) -> SegmentedVideo:
    """Find and measure the objects in every n-th frame of a video.

    Args:
        frames: in order of time.
        segmenter: the detector, and what to make of what it finds.

    Raises:
        VideoError: if a frame cannot be read.
    """
    segmented = segment_video(frames, segmenter)
    expected = float(segmented.objects["confidence"].sum()) / segmented.frames
    return SegmentedVideo(
        segmentations=segmented.objects,
        segmentations_csv=segmented.objects,
        segmentation_scores=segmented.segmentation_scores,
        properties={"frames": segmented.frames, "expected_objects": round(expected, 3)},
    )


def summarise_segmentations(
    segmentations: Partitions[DataFrame[Segmentations]], frame_manifest: DataFrame[FrameManifest]
) -> DataFrame[SegmentationManifest]:
    """Tell what became of each video's segmentation; a video whose frames failed keeps the reason why."""
    columns = list(SegmentationManifest.to_schema().columns)
    return SegmentationManifest.validate(
        build_manifest(segmentations.manifest(columns, key="video_id"), frame_manifest)
    )


def draw_segmentation_overlays(
    frames: Partitions[FrameFolder],
    segmentations: Partitions[DataFrame[Segmentations]],
    object_segmenter: ObjectSegmenter,
    options: SegmentationOptions,
) -> go.Figure:
    """Draw boxes, masks, names and areas into frames of some videos.

    Args:
        frames: the frames of each video.
        segmentations: tell which video of each category shows most, where `options.overlays` names none.
        object_segmenter: finds the masks again, since no table keeps them.
        options: see `SegmentationOptions`.

    Returns:
        A strip of frames per video.

    Raises:
        ValueError: if a video is named that has no segmentation.
    """
    chosen = options.overlays or _showiest_videos(segmentations)
    missing = [video_id for video_id in chosen if video_id not in segmentations]
    if missing:
        raise ValueError(
            f"segmentation.overlays names {', '.join(missing)}, which was not segmented: see segmentation_manifest"
        )
    return overlay_figure({video_id: object_segmenter.segment(frames.load(video_id)) for video_id in chosen})


def _thresholds(
    own_names: Mapping[int, str], class_names: Mapping[int, str], options: SegmentationOptions
) -> Mapping[int, float]:
    """By the detector's number: what was chosen for a class by name, else for all, else what was measured."""
    unknown = sorted(options.class_confidence.keys() - set(class_names.values()))
    if unknown:
        raise ValueError(f"segmentation.class_confidence names {', '.join(unknown)}, which the segmenter does not know")
    measured = COCO_THRESHOLDS if options.model is None else {}
    return {
        number: options.class_confidence.get(name, options.confidence or measured.get(own_names[number], CONFIDENCE))
        for number, name in class_names.items()
    }


def _open_detector(options: SegmentationOptions) -> ObjectDetector:
    if options.model is None:
        return run_in_subprocess(convert_coco_detector)
    own_names = read_label_map(options.labels) if options.labels else COCO_CLASSES
    return open_saved_detector(find_model(options.model), own_names)


def _showiest_videos(segmentations: Partitions[DataFrame[Segmentations]]) -> list[str]:
    """Of each category, the video in which the most objects are expected per frame."""
    shown = {
        video_id: float(segmentations.states[video_id].properties["expected_objects"] or 0)
        for video_id in segmentations
    }
    by_category = groupby(shown, key=lambda video_id: video_id.split("/")[0])
    return [max(members, key=shown.__getitem__) for _, members in by_category]
