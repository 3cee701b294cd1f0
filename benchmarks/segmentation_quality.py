"""Quality of detected objects and masks on hand-labelled photos: labelled_photos.json.

The polygons were drawn by hand around every object of a COCO class that covers at least 0.3 % of a photo. Classes whose
presence is unclear are `doubtful` and not counted. The photos are those of the demo and four of scikit-image.

Presence: precision, recall and F1 of the classes in an image. Area error: mean absolute error of an object's share of
the image, over the detected objects. Overlap: mean intersection over union of the masks.

    python benchmarks/segmentation_quality.py    # after `kedro run`: uses the frames of the demo in data/
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import skimage
from benchmark_results import Result, argument_parser, report_results, result
from numpy.typing import NDArray
from own_project import PROJECT, demo_photos

from video_recommender.media.clip_rendering import ClipRecipe
from video_recommender.media.frames import FrameFolder, Photo, RgbImage
from video_recommender.networks.coco_detector import COCO_THRESHOLDS, convert_coco_detector
from video_recommender.networks.detected_objects import (
    LOW_THRESHOLD_RATIO,
    DetectedObjects,
    box_iou,
    hysteresis_threshold,
)
from video_recommender.networks.object_masks import Box, likely_pixels, pixel_boxes
from video_recommender.networks.object_segmenter import ObjectDetector
from video_recommender.pipelines.segmentation.nodes import DEFAULT_THRESHOLD
from video_recommender.sources.photos import ClipOptions, plan_clips

LABELS = json.loads(Path(__file__).with_name("labelled_photos.json").read_text())
LONGEST_SIDE = 640
FRAME_SIDE = 224
FRAMES_APART = 6
GRID = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
PSEUDO_COUNT = 10.0
"""Weight of all classes, in labels, when the threshold of one class is chosen."""
ALL = 0
SEED = 42

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Labelled:
    """An image and its labels."""

    image: RgbImage
    class_ids: tuple[int, ...]
    masks: tuple[Mask, ...]
    doubtful: frozenset[int]
    scene: str


def main() -> None:
    """Measure presence, masks, and presence in the frames of the demo."""
    parser = argument_parser(__doc__)
    parser.add_argument("--every-nth-clip", type=int, default=2, help="sample of the clips of the demo")
    arguments = parser.parse_args()
    detector = convert_coco_detector()
    numbers = {name: number for number, name in detector.class_names.items()}
    photos = [label(image, name, numbers) for name, image in read_photos()]
    kinds = {"photos": photos, "frames": [centre(photo) for photo in photos]}
    found = {kind: [detector.detect(labelled.image) for labelled in images] for kind, images in kinds.items()}
    views = [mirrored(labelled) for images in kinds.values() for labelled in images]
    scores = {kind: scores_of(images, found[kind]) for kind, images in kinds.items()}
    pool = pd.concat([*scores.values(), scores_of(views, [detector.detect(view.image) for view in views])])
    results = {
        "photos": result(len(photos), "count", "hand-labelled photos", "size"),
        "objects": result(sum(len(photo.class_ids) for photo in photos), "count", "labelled objects", "size"),
    }
    for kind, images in kinds.items():
        prefix = "" if kind == "photos" else f"{kind}_"
        results |= describe(calibrated(scores[kind], pool), prefix, f"classes in {kind}, thresholds of other scenes")
        results |= measure(images, found[kind], prefix, kind)
    recipes = plan_clips(demo_photos(), ClipOptions(), SEED)[:: arguments.every_nth_clip]
    clips = [(recipe, found_in_video(detector, recipe)) for recipe in recipes]
    limits = {number: COCO_THRESHOLDS.get(name, DEFAULT_THRESHOLD) for number, name in detector.class_names.items()}
    judged = in_videos(clips, numbers, limits)
    results |= describe(judged, "clips_", "classes in frames of clips, default thresholds, neighbours in time")
    report_results(results, arguments.json)


def describe(counts: Counter[str], prefix: str, about: str) -> dict[str, Result]:
    """Compute precision, recall and F1 of counts."""
    right, wrong, missed = counts["right"], counts["wrong"], counts["missed"]
    values = {
        "precision": right / max(1, right + wrong),
        "recall": right / max(1, right + missed),
        "f1": 2 * right / max(1, 2 * right + wrong + missed),
    }
    return {f"{prefix}{name}": result(value, "score", f"{name}: {about}", "held-out") for name, value in values.items()}


def read_photos() -> Iterator[tuple[str, RgbImage]]:
    """Yield the name and the image of each labelled photo."""
    for photo in demo_photos():
        yield name_of(photo), photo.decode(LONGEST_SIDE, LONGEST_SIDE)
    folder = Path(skimage.__file__).parents[1]
    for name in sorted(LABELS.keys() - {name_of(photo) for photo in demo_photos()}):
        yield name, cv2.imread(str(folder / name), cv2.IMREAD_COLOR_RGB)


def name_of(photo: Photo) -> str:
    """Return the name of a photo in the labels."""
    return photo.member or f"skimage/data/{photo.name}"


def label(image: RgbImage, name: str, numbers: Mapping[str, int]) -> Labelled:
    """Resize a photo, and fill the polygons of its objects."""
    scale = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
    reduced = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = np.array(reduced.shape[1::-1])
    masks = []
    for labelled_object in LABELS[name]["objects"]:
        mask = np.zeros(reduced.shape[:2], np.uint8)
        cv2.fillPoly(
            mask, [np.rint(np.array(polygon) * size).astype(np.int32) for polygon in labelled_object["polygons"]], 1
        )
        masks.append(mask > 0)
    classes = tuple(numbers[labelled_object["class"]] for labelled_object in LABELS[name]["objects"])
    scenes = {name_of(photo): photo.scene for photo in demo_photos()}
    doubtful = frozenset(numbers[class_name] for class_name in LABELS[name]["doubtful"])
    return Labelled(reduced, classes, tuple(masks), doubtful, scenes.get(name, name))


def centre(photo: Labelled) -> Labelled:
    """Crop and resize a photo as preprocessing does; mark objects that are hardly visible as doubtful."""
    height, width = photo.image.shape[:2]
    side = min(height, width)
    rows, columns = (slice((whole - side) // 2, (whole - side) // 2 + side) for whole in (height, width))

    def cut(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cv2.resize(image[rows, columns], (FRAME_SIDE, FRAME_SIDE), interpolation=cv2.INTER_AREA)

    masks = [cut(255 * mask.astype(np.uint8)) > 127 for mask in photo.masks]
    shows = [mask.mean() >= 0.003 for mask in masks]
    hidden = {number for number, is_shown in zip(photo.class_ids, shows, strict=True) if not is_shown}
    kept = [(number, mask) for number, mask, is_shown in zip(photo.class_ids, masks, shows, strict=True) if is_shown]
    return Labelled(
        cut(photo.image), tuple(n for n, _ in kept), tuple(m for _, m in kept), photo.doubtful | hidden, photo.scene
    )


def count(predicted: set[int], there: set[int], doubtful: frozenset[int]) -> Counter[str]:
    """Count true positives, false positives and false negatives."""
    return Counter(right=len(predicted & there), wrong=len(predicted - there - doubtful), missed=len(there - predicted))


def calibrated(judged: pd.DataFrame, pool: pd.DataFrame) -> Counter[str]:
    """Count classes with a threshold per class, cross-validated by scene."""
    counts = Counter[str]()
    for scene, rows in judged.groupby("scene"):
        limits = best_confidences(pool[pool["scene"] != scene])
        is_predicted = rows["score"] >= rows["class_id"].map(limits).fillna(limits[ALL])
        there = rows["is_there"]
        missed = ~is_predicted & there
        counts += Counter(right=(is_predicted & there).sum(), wrong=(is_predicted & ~there).sum(), missed=missed.sum())
    return counts


def mirrored(image: Labelled) -> Labelled:
    """Mirror an image, as additional data for the thresholds."""
    return replace(image, image=np.ascontiguousarray(image.image[:, ::-1]))


def scores_of(images: list[Labelled], found: list[DetectedObjects]) -> pd.DataFrame:
    """Tabulate, per image, the best score of each class that is detected or present, and whether it is present."""
    return pd.concat([_scores(*pair) for pair in zip(images, found, strict=True)], ignore_index=True)


def _scores(labelled: Labelled, objects: DetectedObjects) -> pd.DataFrame:
    scores = pd.Series(objects.scores, objects.class_ids).groupby(level=0).max()
    classes = (set(scores.index) - labelled.doubtful) | set(labelled.class_ids)
    rows = [
        (labelled.scene, number, scores.get(number, 0.0), number in labelled.class_ids) for number in sorted(classes)
    ]
    return pd.DataFrame(rows, columns=["scene", "class_id", "score", "is_there"]).astype({"is_there": bool})


def best_confidences(table: pd.DataFrame) -> dict[int, float]:
    """Return the threshold with the best F1 per class and for all; with few labels it shrinks to the average."""
    curve = count_from(table)
    best = {ALL: GRID[f1(curve).argmax()]}
    for number, rows in table.groupby("class_id"):
        if rows["is_there"].any():
            shrunk = count_from(rows) + PSEUDO_COUNT * curve / table["is_there"].sum()
            best[int(number)] = GRID[f1(shrunk).argmax()]
    return best


def count_from(table: pd.DataFrame) -> NDArray[np.float64]:
    """Count true positives, false positives and false negatives per threshold: shape (thresholds, 3)."""
    is_predicted = table["score"].to_numpy()[:, np.newaxis] >= np.array(GRID)
    there = table["is_there"].to_numpy()[:, np.newaxis]
    return np.stack(
        [(is_predicted & there).sum(0), (is_predicted & ~there).sum(0), (~is_predicted & there).sum(0)], axis=1
    ).astype(float)


def f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute F1 of each row of counts."""
    return 2 * counts[:, 0] / (2 * counts[:, 0] + counts[:, 1] + counts[:, 2])


def measure(images: list[Labelled], found: list[DetectedObjects], prefix: str, kind: str) -> dict[str, Result]:
    """Measure area error, overlap and time per mask of detections with a confidence of at least 0.3."""
    errors, overlaps, seconds = [], [], 0.0
    for labelled, objects in zip(images, found, strict=True):
        height, width = labelled.image.shape[:2]
        sure = objects.select(objects.scores >= 0.3)
        boxes = pixel_boxes(sure, height, width)
        for number, truth in zip(labelled.class_ids, labelled.masks, strict=True):
            edges = np.array([[*edges_of(truth)]], np.float32) / [height, width, height, width]
            common = np.where(sure.class_ids == number, box_iou(edges.astype(np.float32), sure.boxes)[0], 0)
            if not len(common) or common.max() < 0.5:
                continue
            box = boxes[int(common.argmax())]
            start = time.perf_counter()
            segmented = np.zeros((height, width), bool)
            segmented[box.inside] = likely_pixels(labelled.image, box)
            seconds += time.perf_counter() - start
            errors.append(abs(segmented.mean() - truth.mean()))
            overlaps.append((segmented & truth).sum() / (segmented | truth).sum())
    return {
        f"{prefix}area_error": result(
            np.mean(errors), "score", f"mean absolute error of an object's share of the image, {kind}", "held-out"
        ),
        f"{prefix}overlap": result(
            np.mean(overlaps), "score", f"mean intersection over union of masks, {kind}", "held-out"
        ),
        f"{prefix}mask_seconds": result(seconds / len(errors), "seconds", f"time per mask, {kind}"),
    }


def edges_of(mask: Mask) -> Box:
    """Return the bounding box of a mask."""
    rows, columns = np.nonzero(mask)
    return Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


def in_videos(
    clips: list[tuple[ClipRecipe, list[DetectedObjects]]],
    numbers: Mapping[str, int],
    limits: Mapping[int, float],
) -> Counter[str]:
    """Count classes in frames of clips of the demo; the labels of a frame are those of its photo."""
    counts = Counter[str]()
    for recipe, found in clips:
        believed = hysteresis_threshold(found, limits, LOW_THRESHOLD_RATIO)
        for objects, kept, name in zip(found, believed, photos_shown(recipe, len(found)), strict=True):
            there = {numbers[labelled_object["class"]] for labelled_object in LABELS[name]["objects"]}
            doubtful = frozenset(numbers[class_name] for class_name in LABELS[name]["doubtful"])
            counts += count(set(objects.class_ids[kept].tolist()), there, doubtful)
    return counts


def found_in_video(detector: ObjectDetector, recipe: ClipRecipe) -> list[DetectedObjects]:
    """Detect objects in every n-th frame."""
    folder = FrameFolder(PROJECT / "data/02_intermediate/frames" / recipe.video_id)
    return [detector.detect(image) for image in folder.images(FRAMES_APART)]


def photos_shown(recipe: ClipRecipe, frames: int) -> list[str]:
    """Return the photo of each of these frames, which are sampled at three frames per second."""
    ends = np.cumsum([shot.frames for shot in recipe.shots])
    shown = np.searchsorted(ends, np.arange(frames) * FRAMES_APART / 3 * float(recipe.fps), side="right")
    photos = [recipe.shots[shot].photo for shot in shown.clip(max=len(ends) - 1)]
    return [name_of(photo) for photo in photos]


if __name__ == "__main__":
    main()
