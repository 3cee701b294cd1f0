"""Quality of detected objects and masks on photos that were labelled by hand: labelled_photos.json.

The polygons were drawn by eye, without any algorithm, around every object of COCO's classes that covers at least 0.3 %
of a photo; classes whose presence is unclear are `doubtful` and not counted. The photos are the demo's and four of
scikit-image's, so that nothing else has to be downloaded.

Presence: precision and recall of the classes in a photo. Area: the mean absolute error of an object's share of the
picture, over the objects that are found; overlap: the mean intersection over union of the masks. All methods are
measured in the same run.

Run, after `kedro run` has left clips and frames in data/: python benchmarks/segmentation_quality.py
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import skimage
from numpy.typing import NDArray
from own_project import PROJECT, demo_photos

from video_recommender.media.clip_rendering import ClipRecipe
from video_recommender.media.frames import FrameFolder, Photo, Picture
from video_recommender.networks.coco_detector import COCO_THRESHOLDS, convert_coco_detector
from video_recommender.networks.detected_objects import DetectedObjects, box_iou, hysteresis_threshold
from video_recommender.networks.object_masks import Box, likely_pixels, mask_objects, pixel_boxes
from video_recommender.networks.object_segmenter import ObjectDetector
from video_recommender.pipelines.segmentation.nodes import DEFAULT_THRESHOLD
from video_recommender.sources.photos import ClipOptions, plan_clips

LABELS = json.loads(Path(__file__).with_name("labelled_photos.json").read_text())
LONGEST_SIDE = 640
FRAME_SIDE = 224
CONFIDENCES = (0.2, 0.3, 0.4, 0.5)
FRAMES_APART = 6
WEAK_SHARES = (1.0, 0.7)
GRID = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
PULL = 10.0
"""Pseudo-count: weight of the average of all classes, in labels, when the threshold of one class is chosen."""
ALL = 0
SEED = 42

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Labelled:
    """A picture and its labels."""

    picture: Picture
    class_ids: tuple[int, ...]
    masks: tuple[Mask, ...]
    doubtful: frozenset[int]
    scene: str


def main() -> None:
    """Print every figure."""
    detector = convert_coco_detector()
    numbers = {name: number for number, name in detector.class_names.items()}
    photos = [label(picture, name, numbers) for name, picture in read_photos()]
    kinds = {"photos, longest side 640": photos, "frames, 224 square": [centre(photo) for photo in photos]}
    found = {kind: [detector.detect(labelled.picture) for labelled in pictures] for kind, pictures in kinds.items()}
    views = [mirrored(labelled) for pictures in kinds.values() for labelled in pictures]
    scores = {kind: scores_of(pictures, found[kind]) for kind, pictures in kinds.items()}
    pool = pd.concat([*scores.values(), scores_of(views, [detector.detect(view.picture) for view in views])])
    chosen = best_confidences(pool)
    print("best for each class:", {detector.class_names.get(n, "any other"): limit for n, limit in chosen.items()})
    for kind, pictures in kinds.items():
        print(f"{len(pictures)} {kind}: {sum(len(labelled.class_ids) for labelled in pictures)} objects")
        for confidence in CONFIDENCES:
            print(f"  presence from {confidence}: {presence(pictures, found[kind], confidence)}")
        print(f"  presence from the best for each class, chosen on other scenes: {calibrated(scores[kind], pool)}")
        for name, mask in WAYS_TO_MASK.items():
            print(f"  masks by {name}: {measure(pictures, found[kind], mask)}")
        print(f"  all masks of a picture, the doubtful objects included: {mask_times(pictures, found[kind])}")
    believed: dict[str, Mapping[int, float]] = {
        f"{confidence}": dict.fromkeys(detector.class_names, confidence) for confidence in CONFIDENCES
    }
    believed["the calibrated confidences"] = {
        number: COCO_THRESHOLDS.get(name, DEFAULT_THRESHOLD) for number, name in detector.class_names.items()
    }
    for name, limits in believed.items():
        for share in WEAK_SHARES:
            figures = in_videos(detector, numbers, limits, share)
            print(f"frames of the demo's clips, presence from {name}, weak share {share}: {figures}")


def read_photos() -> Iterator[tuple[str, Picture]]:
    """Yield the name and the picture of each labelled photo."""
    for photo in demo_photos():
        yield name_of(photo), photo.decode(LONGEST_SIDE, LONGEST_SIDE)
    folder = Path(skimage.__file__).parents[1]
    for name in sorted(LABELS.keys() - {name_of(photo) for photo in demo_photos()}):
        yield name, cv2.imread(str(folder / name), cv2.IMREAD_COLOR_RGB)


def name_of(photo: Photo) -> str:
    """Return the name of a photo in the labels."""
    return photo.member or f"skimage/data/{photo.name}"


def label(picture: Picture, name: str, numbers: Mapping[str, int]) -> Labelled:
    """Reduce a photo, and fill the polygons of its objects."""
    scale = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
    reduced = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
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
    """Crop and scale a photo as preprocessing does; objects that are hardly visible become doubtful."""
    height, width = photo.picture.shape[:2]
    side = min(height, width)
    rows, columns = (slice((whole - side) // 2, (whole - side) // 2 + side) for whole in (height, width))

    def cut(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cv2.resize(picture[rows, columns], (FRAME_SIDE, FRAME_SIDE), interpolation=cv2.INTER_AREA)

    masks = [cut(255 * mask.astype(np.uint8)) > 127 for mask in photo.masks]
    shows = [mask.mean() >= 0.003 for mask in masks]
    hidden = {number for number, is_shown in zip(photo.class_ids, shows, strict=True) if not is_shown}
    kept = [(number, mask) for number, mask, is_shown in zip(photo.class_ids, masks, shows, strict=True) if is_shown]
    return Labelled(
        cut(photo.picture), tuple(n for n, _ in kept), tuple(m for _, m in kept), photo.doubtful | hidden, photo.scene
    )


def presence(pictures: list[Labelled], found: list[DetectedObjects], confidence: float) -> str:
    """Compute precision, recall and F1 of the classes in each picture."""
    counts = Counter[str]()
    for labelled, objects in zip(pictures, found, strict=True):
        predicted = set(objects.class_ids[objects.scores >= confidence].tolist())
        counts += count(predicted, set(labelled.class_ids), labelled.doubtful)
    return in_words(counts)


def count(predicted: set[int], there: set[int], doubtful: frozenset[int]) -> Counter[str]:
    """Count true positives, false positives and false negatives."""
    return Counter(right=len(predicted & there), wrong=len(predicted - there - doubtful), missed=len(there - predicted))


def in_words(counts: Counter[str]) -> str:
    """Format precision, recall and F1."""
    right, wrong, missed = counts["right"], counts["wrong"], counts["missed"]
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    return f"precision {precision:.2f}, recall {recall:.2f}, F1 {2 * right / max(1, 2 * right + wrong + missed):.2f}"


def calibrated(judged: pd.DataFrame, pool: pd.DataFrame) -> str:
    """Compute presence with a threshold per class, cross-validated by scene."""
    counts = Counter[str]()
    for scene, rows in judged.groupby("scene"):
        limits = best_confidences(pool[pool["scene"] != scene])
        is_predicted = rows["score"] >= rows["class_id"].map(limits).fillna(limits[ALL])
        there = rows["is_there"]
        missed = ~is_predicted & there
        counts += Counter(right=(is_predicted & there).sum(), wrong=(is_predicted & ~there).sum(), missed=missed.sum())
    return in_words(counts)


def mirrored(picture: Labelled) -> Labelled:
    """Mirror a picture, as additional data for the thresholds."""
    return replace(picture, picture=np.ascontiguousarray(picture.picture[:, ::-1]))


def scores_of(pictures: list[Labelled], found: list[DetectedObjects]) -> pd.DataFrame:
    """Tabulate, per picture, the best score of each class that is found or present, and whether it is present."""
    return pd.concat([_scores(*pair) for pair in zip(pictures, found, strict=True)], ignore_index=True)


def _scores(labelled: Labelled, objects: DetectedObjects) -> pd.DataFrame:
    scores = pd.Series(objects.scores, objects.class_ids).groupby(level=0).max()
    classes = (set(scores.index) - labelled.doubtful) | set(labelled.class_ids)
    rows = [
        (labelled.scene, number, scores.get(number, 0.0), number in labelled.class_ids) for number in sorted(classes)
    ]
    return pd.DataFrame(rows, columns=["scene", "class_id", "score", "is_there"]).astype({"is_there": bool})


def best_confidences(table: pd.DataFrame) -> dict[int, float]:
    """Return the threshold with the best F1 per class and for all; few labels shrink it towards the average."""
    curve = count_from(table)
    best = {ALL: GRID[f1(curve).argmax()]}
    for number, rows in table.groupby("class_id"):
        if rows["is_there"].any():
            pulled = count_from(rows) + PULL * curve / table["is_there"].sum()
            best[int(number)] = GRID[f1(pulled).argmax()]
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


def measure(pictures: list[Labelled], found: list[DetectedObjects], mask: Callable[[Picture, Box], Mask]) -> str:
    """Report the error of areas, the overlap of masks and the time per mask, for detections of at least 0.3."""
    errors, overlaps, seconds = [], [], 0.0
    for labelled, objects in zip(pictures, found, strict=True):
        height, width = labelled.picture.shape[:2]
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
            segmented[box.inside] = mask(labelled.picture, box)
            seconds += time.perf_counter() - start
            errors.append(abs(segmented.mean() - truth.mean()))
            overlaps.append((segmented & truth).sum() / (segmented | truth).sum())
    return (
        f"area error {np.mean(errors):.3f}, overlap {np.mean(overlaps):.2f} over {len(errors)} objects, "
        f"{1000 * seconds / len(errors):.1f} ms an object"
    )


def mask_times(pictures: list[Labelled], found: list[DetectedObjects]) -> str:
    """Report the time to mask all detected objects of a picture."""
    milliseconds = []
    for labelled, objects in zip(pictures, found, strict=True):
        start = time.perf_counter()
        mask_objects(labelled.picture, objects, "likely")
        milliseconds.append(1000 * (time.perf_counter() - start))
    objects_each = np.mean([len(objects) for objects in found])
    return f"{np.mean(milliseconds):.0f} ms, at most {max(milliseconds):.0f} ms; {objects_each:.1f} objects each"


def edges_of(mask: Mask) -> Box:
    """Return the bounding box of a mask."""
    rows, columns = np.nonzero(mask)
    return Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


def whole_box(_: Picture, box: Box) -> Mask:
    """Fill the box."""
    return np.ones((box.bottom - box.top, box.right - box.left), bool)


def grabcut(picture: Picture, box: Box) -> Mask:
    """Run five iterations of GrabCut (Rother et al. 2004) from the box, at full size."""
    mask, models = np.zeros(picture.shape[:2], np.uint8), [np.zeros((1, 65)), np.zeros((1, 65))]
    rectangle = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    cv2.grabCut(picture, mask, rectangle, *models, 5, cv2.GC_INIT_WITH_RECT)
    return np.isin(mask[box.inside], [cv2.GC_FGD, cv2.GC_PR_FGD])


WAYS_TO_MASK = {"box": whole_box, "GrabCut": grabcut, "place and colour": likely_pixels}


def in_videos(
    detector: ObjectDetector, numbers: Mapping[str, int], limits: Mapping[int, float], weak_share: float
) -> str:
    """Compute presence in every n-th frame of the demo's clips; the labels of a frame are those of its photo."""
    counts = Counter[str]()
    for recipe in plan_clips(demo_photos(), ClipOptions(), SEED):
        found = found_in_video(detector, recipe)
        believed = hysteresis_threshold(found, limits, weak_share)
        for objects, kept, name in zip(found, believed, photos_shown(recipe, len(found)), strict=True):
            there = {numbers[labelled_object["class"]] for labelled_object in LABELS[name]["objects"]}
            doubtful = frozenset(numbers[class_name] for class_name in LABELS[name]["doubtful"])
            counts += count(set(objects.class_ids[kept].tolist()), there, doubtful)
    return in_words(counts)


_FOUND: dict[str, list[DetectedObjects]] = {}


def found_in_video(detector: ObjectDetector, recipe: ClipRecipe) -> list[DetectedObjects]:
    """Detect objects in every n-th frame; cached."""
    if recipe.video_id not in _FOUND:
        folder = FrameFolder(PROJECT / "data/02_intermediate/frames" / recipe.video_id)
        _FOUND[recipe.video_id] = [detector.detect(picture) for picture in folder.pictures(FRAMES_APART)]
    return _FOUND[recipe.video_id]


def photos_shown(recipe: ClipRecipe, frames: int) -> list[str]:
    """Return the photo of each of these frames, which are sampled at three per second."""
    ends = np.cumsum([shot.frames for shot in recipe.shots])
    shown = np.searchsorted(ends, np.arange(frames) * FRAMES_APART / 3 * float(recipe.fps), side="right")
    photos = [recipe.shots[shot].photo for shot in shown.clip(max=len(ends) - 1)]
    return [name_of(photo) for photo in photos]


if __name__ == "__main__":
    main()
