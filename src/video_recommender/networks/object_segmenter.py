"""Detection of the objects in the frames of a video, with the area of each object."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, Field, PositiveInt, model_validator
from sklearn.preprocessing import normalize

from video_recommender.media.frames import EncodedFrames, FrameFolder, RgbImage
from video_recommender.media.video import VideoError
from video_recommender.networks.coco_detector import LiteRTDetector
from video_recommender.networks.detected_objects import DetectedObjects, hysteresis_threshold, non_maximum_suppression
from video_recommender.networks.object_masks import Box, MaskKind, SegmentedFrame, mask_objects, pixel_boxes
from video_recommender.networks.pretrained import class_embeddings
from video_recommender.networks.saved_detector import SavedDetector
from video_recommender.schemas import ClassEmbeddings, Segmentations, SegmentationScores
from video_recommender.storage.digests import fingerprint

GROUP_MAX_IOU: Final = 0.6  # for non-maximum suppression across the classes of one group

ObjectDetector: TypeAlias = LiteRTDetector | SavedDetector
"""Classes instead of a protocol, so that a change of their code makes the results of nodes that use them stale."""


class SegmentationOptions(BaseModel, extra="forbid", frozen=True):
    """Options of object detection (parameters_segmentation.yml)."""

    model: str | None = None
    labels: Path | None = None
    every_nth_frame: PositiveInt = 6
    confidence: float | None = Field(default=None, gt=0, le=1)
    class_confidence: Mapping[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    masks: MaskKind = "likely"
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    keep_others: bool = True
    overlays: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if self.labels is not None and self.model is None:
            raise ValueError("segmentation.labels requires your own model: set segmentation.model too")
        if not self.keep_others and not self.groups:
            raise ValueError("segmentation.keep_others=false drops all classes: add classes to segmentation.groups")
        return self


@dataclass(frozen=True)
class ObjectSegmenter:
    """A detector and its postprocessing. It can be sent to worker processes."""

    detector: ObjectDetector
    class_names: Mapping[int, str]  # maps class numbers of the detector to names; classes of a group share a name
    thresholds: Mapping[int, float]  # maps class numbers to confidence thresholds; other classes are never accepted
    every_nth_frame: int
    masks: MaskKind

    @property
    def digest(self) -> str:
        """Digest of all attributes that affect the results."""
        by_class = [str(sorted(values.items())) for values in (self.class_names, self.thresholds)]
        return fingerprint(self.detector.digest, by_class, self.every_nth_frame, self.masks)

    def segment(self, frames: FrameFolder | EncodedFrames) -> Iterator[SegmentedFrame]:
        """Detect the objects in every n-th frame of a video, select the objects to accept, and compute all masks.

        Frames are decoded twice to save memory. A missing or unreadable frame raises a `VideoError`.
        """
        step = self.every_nth_frame
        detected = [self._detect(image) for image in frames.images(step)]
        if not detected:
            raise VideoError("damaged", "The video has no frames: run preprocessing again")
        accepted = hysteresis_threshold(detected, self.thresholds)
        decoded = zip(frames.images(step), detected, accepted, strict=True)
        for position, (image, objects, is_accepted) in enumerate(decoded):
            names = np.array([self.class_names[int(number)] for number in objects.class_ids], dtype=object)
            masks = mask_objects(image, objects, self.masks)
            yield SegmentedFrame(1 + position * step, image, objects, names, masks, is_accepted)

    def _detect(self, image: RgbImage) -> DetectedObjects:
        """Detect objects of the selected classes, and merge classes that share a name."""
        detected = self.detector.detect(image)
        known = detected.select(np.isin(detected.class_ids, list(self.class_names)))
        first = {name: number for number, name in sorted(self.class_names.items(), reverse=True)}
        numbers = np.array([first[self.class_names[number]] for number in known.class_ids.tolist()], np.int64)
        if np.array_equal(numbers, known.class_ids):
            return known
        kept = non_maximum_suppression(known.boxes, numbers, known.scores, GROUP_MAX_IOU)
        return replace(known, class_ids=numbers).select(kept)


@dataclass(frozen=True)
class VideoSegmentation:
    """The accepted objects in one video, the scores of its classes, and the number of segmented frames."""

    objects: DataFrame[Segmentations]
    segmentation_scores: DataFrame[SegmentationScores]
    frames: int


def segment_video(frames: FrameFolder | EncodedFrames, segmenter: ObjectSegmenter) -> VideoSegmentation:
    """Detect and measure the objects in one video; see `ObjectSegmenter.segment`."""
    tables = [_tabulate(frame) for frame in segmenter.segment(frames)]
    detected = pd.concat(tables, ignore_index=True)
    columns = list(Segmentations.to_schema().columns)
    accepted = detected.loc[detected["is_accepted"]]
    numbers = accepted.groupby("frame").cumcount() + 1
    return VideoSegmentation(
        objects=Segmentations.validate(accepted.assign(object=numbers)[columns].reset_index(drop=True)),
        segmentation_scores=_score_classes(detected, len(tables)),
        frames=len(tables),
    )


def group_classes(
    class_names: Mapping[int, str], groups: Mapping[str, tuple[str, ...]], *, keep_others: bool
) -> Mapping[int, str]:
    """Replace the class names in a mapping from class numbers to names with the names of their groups.

    If `keep_others` is true, classes in no group keep their names. Otherwise, these classes are dropped. A `ValueError`
    is raised if a class is unknown or in two groups.
    """
    members = Counter(name for names in groups.values() for name in names)
    unknown = sorted(members.keys() - set(class_names.values()))
    if unknown:
        raise ValueError(f"segmentation.groups contains classes unknown to the model: {', '.join(unknown)}")
    repeated = sorted(name for name, count in members.items() if count > 1)
    if repeated:
        raise ValueError(f"segmentation.groups contains {', '.join(repeated)} more than once")
    renamed = {name: group for group, names in groups.items() for name in names}
    return {number: renamed.get(name, name) for number, name in class_names.items() if keep_others or name in renamed}


def group_embeddings(
    detector_names: Mapping[int, str], embeddings: NDArray[np.float32], class_names: Mapping[int, str]
) -> DataFrame[ClassEmbeddings]:
    """Average the normalised class embeddings of each group.

    The embeddings, shape (classes, features), are in the order of `detector_names`. `class_names` is the
    result of `group_classes`.
    """
    names = pd.Series(detector_names).index.map(class_names.get)
    rows = pd.DataFrame(normalize(embeddings), index=names)
    means = rows[rows.index.notna()].groupby(level=0, sort=False).mean()
    return class_embeddings(means.to_numpy(np.float32), list(means.index))


def _tabulate(frame: SegmentedFrame) -> pd.DataFrame:
    height, width = frame.image.shape[:2]
    boxes = pd.DataFrame(pixel_boxes(frame.objects, height, width), columns=Box._fields, dtype=np.int64)
    return pd.DataFrame(
        {
            "frame": np.full(len(frame.objects), frame.number, np.int64),
            "class_name": pd.Series(frame.class_names, dtype="str"),
            "confidence": frame.objects.scores,
            "area_pct": frame.areas_pct,
            "x_min": boxes["left"],
            "y_min": boxes["top"],
            "x_max": boxes["right"],
            "y_max": boxes["bottom"],
            "is_accepted": frame.is_accepted,
        }
    )


def _score_classes(detected: pd.DataFrame, frames: int) -> DataFrame[SegmentationScores]:
    """Average the highest score and the total area of each class over all frames."""
    per_frame = detected.groupby(["class_name", "frame"]).agg(score=("confidence", "max"), area_pct=("area_pct", "sum"))
    capped = per_frame.assign(area_pct=per_frame["area_pct"].clip(upper=100)).groupby(level="class_name")
    means = (capped.sum() / frames).rename(columns={"score": "probability"}).astype(float).reset_index()
    ranked = means.sort_values(["probability", "class_name"], ascending=[False, True], ignore_index=True)
    return SegmentationScores.validate(ranked)
