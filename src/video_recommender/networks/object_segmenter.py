"""Find every object in a video's frames, and measure how much of the picture each covers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from video_recommender.media.frames import EncodedFrames, FrameFolder, Picture
from video_recommender.media.video import VideoError
from video_recommender.networks.found_objects import FoundObjects, ObjectDetector
from video_recommender.networks.object_masks import Box, MaskKind, Masks, mask_objects, pixel_boxes
from video_recommender.networks.repeated_boxes import best_boxes
from video_recommender.networks.weak_objects import believe_objects
from video_recommender.schemas import Segmentations, SegmentationScores
from video_recommender.storage.digests import fingerprint

VERSION: Final = 2
"""Raised when the same frames and detector would give other tables than before, so that they are made again."""

SAME_PLACE: Final = 0.6
"""Where classes are grouped: of two boxes of one group that overlap more, the better one is kept."""


class SegmentationOptions(BaseModel):
    """How objects are found and measured (parameters_segmentation.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = None
    labels: Path | None = None
    every_nth_frame: PositiveInt = 6
    confidence: float | None = Field(default=None, gt=0, le=1)
    class_confidence: Mapping[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    weak_share: float = Field(default=0.7, gt=0, le=1)
    masks: MaskKind = "likely"
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    keep_others: bool = True
    overlays: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.labels is not None and self.model is None:
            raise ValueError("segmentation.labels are those of a model of your own: name it with segmentation.model")
        if not self.keep_others and not self.groups:
            raise ValueError("segmentation.keep_others=false leaves no class: name some under segmentation.groups")
        return self


@dataclass(frozen=True)
class SegmentedFrame:
    """One frame with its objects, the most certain first.

    Attributes:
        number: the frame's, from 1.
        picture: uint8 RGB, shape (height, width, 3).
        objects: also the doubtful ones.
        class_names: of each object.
        masks: bool, shape (objects, height, width): the pixels that each covers.
        is_believed: bool, shape (objects,).
    """

    number: int
    picture: Picture
    objects: FoundObjects
    class_names: NDArray[np.object_]
    masks: Masks
    is_believed: NDArray[np.bool_]

    @property
    def areas_pct(self) -> NDArray[np.float32]:
        """How much of the picture each object covers, in hundredths: float32, shape (objects,)."""
        return np.asarray(100 * self.masks.mean(axis=(1, 2)), np.float32)

    def believed(self) -> Self:
        """The same frame without the doubtful objects."""
        rows = self.is_believed
        return replace(
            self,
            objects=self.objects.select(rows),
            class_names=self.class_names[rows],
            masks=self.masks[rows],
            is_believed=rows[rows],
        )


@dataclass(frozen=True)
class ObjectSegmenter:
    """A detector, and what to make of what it finds; it can be pickled and sent to worker processes.

    Attributes:
        detector: finds objects in a picture.
        class_names: what to call each class, by the detector's number; classes may share a name.
        thresholds: by class, the score from which an object is believed; classes without one are left out.
        weak_share: see `believe_objects`.
        every_nth_frame: how many frames to go on after each that is looked at.
        masks: see `MaskKind`.
    """

    detector: ObjectDetector
    class_names: Mapping[int, str]
    thresholds: Mapping[int, float]
    weak_share: float
    every_nth_frame: int
    masks: MaskKind

    @property
    def fingerprint(self) -> str:
        """Digest of the detector and of all that follows."""
        names, thresholds = (
            {str(number): value for number, value in by_class.items()}
            for by_class in (self.class_names, self.thresholds)
        )
        step = self.every_nth_frame
        return fingerprint(VERSION, self.detector.fingerprint, names, thresholds, self.weak_share, step, self.masks)

    def segment(self, frames: FrameFolder | EncodedFrames) -> Iterator[SegmentedFrame]:
        """Find the objects in a video, then measure those that are believed.

        Args:
            frames: the video's frames in order of time; decoded twice, so that they are never all in memory.

        Yields:
            Every n-th frame, also those without objects.

        Raises:
            VideoError: if there is no frame or a frame is not a readable picture.
        """
        step = self.every_nth_frame
        found = [self._find(picture) for picture in frames.pictures(step)]
        if not found:
            raise VideoError("damaged", "The video has no frames: run preprocessing again")
        believed = believe_objects(found, self.thresholds, self.weak_share)
        pictures = zip(frames.pictures(step), found, believed, strict=True)
        for position, (picture, objects, is_believed) in enumerate(pictures):
            names = np.array([self.class_names[int(number)] for number in objects.class_ids], dtype=object)
            masks = mask_objects(picture, objects, self.masks)
            yield SegmentedFrame(1 + position * step, picture, objects, names, masks, is_believed)

    def _find(self, picture: Picture) -> FoundObjects:
        """Find objects of the classes that are asked for; those of one name are of one class from here on."""
        found = self.detector.find(picture)
        known = found.select(np.isin(found.class_ids, list(self.class_names)))
        first = {name: number for number, name in sorted(self.class_names.items(), reverse=True)}
        numbers = np.array([first[self.class_names[number]] for number in known.class_ids.tolist()], np.int64)
        if np.array_equal(numbers, known.class_ids):
            return known
        return replace(known, class_ids=numbers).select(best_boxes(known.boxes, numbers, known.scores, SAME_PLACE))


@dataclass(frozen=True)
class VideoSegmentation:
    """What was found in one video.

    Attributes:
        objects: those that are believed, a row per object and frame.
        segmentation_scores: what was seen of each class, the doubtful objects included.
        frames: in how many frames it was looked for.
    """

    objects: DataFrame[Segmentations]
    segmentation_scores: DataFrame[SegmentationScores]
    frames: int


def segment_video(frames: FrameFolder | EncodedFrames, segmenter: ObjectSegmenter) -> VideoSegmentation:
    """Find and measure the objects in a video.

    Args:
        frames: the video's frames in order of time.
        segmenter: finds and measures.

    Returns:
        See `VideoSegmentation`.

    Raises:
        VideoError: if there is no frame or a frame is not a readable picture.
    """
    tables = [_tabulate(frame) for frame in segmenter.segment(frames)]
    found = pd.concat(tables, ignore_index=True)
    columns = list(Segmentations.to_schema().columns)
    believed = found.loc[found["is_believed"]]
    numbers = believed.groupby("frame").cumcount() + 1
    return VideoSegmentation(
        objects=Segmentations.validate(believed.assign(object=numbers)[columns].reset_index(drop=True)),
        segmentation_scores=_sum_up_classes(found, len(tables)),
        frames=len(tables),
    )


def _tabulate(frame: SegmentedFrame) -> pd.DataFrame:
    height, width = frame.picture.shape[:2]
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
            "is_believed": frame.is_believed,
        }
    )


def _sum_up_classes(found: pd.DataFrame, frames: int) -> DataFrame[SegmentationScores]:
    """Per class, the means over all frames: of the most certain object's score, and of the area of all its objects."""
    per_frame = found.groupby(["class_name", "frame"]).agg(score=("confidence", "max"), area_pct=("area_pct", "sum"))
    capped = per_frame.assign(area_pct=per_frame["area_pct"].clip(upper=100)).groupby(level="class_name")
    summed = (capped.sum() / frames).rename(columns={"score": "probability"}).astype(float).reset_index()
    ranked = summed.sort_values(["probability", "class_name"], ascending=[False, True], ignore_index=True)
    return SegmentationScores.validate(ranked)
