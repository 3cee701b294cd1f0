"""Compute object scores of videos, and the importance of each object in each video from these scores.

The functions that sum tables, such as `Partitions.blocks`, read each table once. They ignore videos that are not in
`video_ids`, and return an empty row for videos without a table. They raise a `ValueError` if a class is not in
`class_names`, the classes of the network.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

Detector = Literal["classifier", "finetuned", "segmenter"]
ScoreSource = Literal["class_scores", "detections"]
ImportanceFormula = Literal["confidence_share", "frame_share", "tf_idf", "area"]

Matrix: TypeAlias = sparse.csr_array  # sparse float64, shape (videos, classes)


@dataclass(frozen=True)
class ObjectScores:
    """Scores of each class in each video, as sparse matrices of shape (videos, classes).

    Attributes:
        video_ids: names of the rows.
        class_names: names of the columns, all classes of the network.
        frames: number of frames in which the class is detected. From class scores, the mean probability of the class.
        confidence: sum of confidences over these frames. From class scores, equal to `frames`.
        area: area in percent of the frame, summed over frames (from class scores: averaged), or None if not measured.
    """

    video_ids: pd.Index
    class_names: pd.Index
    frames: Matrix
    confidence: Matrix
    area: Matrix | None = None


def scores_from_detections(
    detections: Iterable[pd.DataFrame], video_ids: pd.Index, class_names: pd.Index, *, has_areas: bool = False
) -> ObjectScores:
    """Count the frames in which each class is detected, and sum confidences and areas.

    Tables have the columns of `Detections` (`Segmentations` if `has_areas`) and `video_id`. All rows of a video must be
    in the same table. Several objects of a class in one frame count as one object, which has the highest confidence and
    the total area, at most 100 %.
    """
    columns = {"frames": "frames", "confidence": "confidence"} | ({"area": "area_pct"} if has_areas else {})
    merged = map(_merge_objects, detections) if has_areas else detections
    counted = (table.assign(frames=1.0) for table in merged)
    return ObjectScores(video_ids, class_names, **_sums(counted, video_ids, class_names, columns))


def scores_from_class_scores(
    class_scores: Iterable[pd.DataFrame], video_ids: pd.Index, class_names: pd.Index, *, has_areas: bool = False
) -> ObjectScores:
    """Convert mean probabilities of classes to object scores.

    Tables have the columns of `ClassScores` (`SegmentationScores` if `has_areas`) and `video_id`.
    """
    columns = {"frames": "probability"} | ({"area": "area_pct"} if has_areas else {})
    sums = _sums(class_scores, video_ids, class_names, columns)
    return ObjectScores(video_ids, class_names, **sums, confidence=sums["frames"])


def class_positions(names: "pd.Series[str] | pd.Index", class_names: pd.Index) -> NDArray[np.int32]:
    """Return the positions of `names` in `class_names`. Raises a `ValueError` if a name is unknown."""
    positions = _positions(class_names, names)
    if (positions < 0).any():
        unknown = pd.Index(names)[positions < 0][0]
        raise ValueError(
            f"The class '{unknown}' is not one of the {len(class_names)} classes of the network: run "
            "detection and feature_engineering again with the same network"
        )
    return positions


def inverse_document_frequency(scores: ObjectScores) -> NDArray[np.float64]:
    """Compute the weight of each class, ln((1 + videos) / (1 + videos with the class)) + 1, shape (classes,).

    The smoothing is the same as in scikit-learn and defines the weight of classes that occur in no video.
    """
    videos_with_class = np.bincount(scores.frames.indices, minlength=len(scores.class_names))
    return np.asarray(np.log((1 + len(scores.video_ids)) / (1 + videos_with_class)) + 1)


def applicable_formulas(scores: ObjectScores) -> tuple[ImportanceFormula, ...]:
    """List the formulas that can be computed from these scores: `area` only if areas are measured."""
    return tuple(name for name in get_args(ImportanceFormula) if name != "area" or scores.area is not None)


def measure_importance(scores: ObjectScores, formula: ImportanceFormula, class_weights: NDArray[np.float64]) -> Matrix:
    """Compute the importance of each class in each video. Importances of a video without scores are 0.

    `confidence_share` is the share of the class in the video's total confidence. `frame_share` uses numbers of frames
    instead of confidences. `tf_idf` is confidence share times class weight (`inverse_document_frequency`; Salton and
    Buckley 1988). `area` is the share in the video's total object area; without areas, it raises a `ValueError`.
    """
    match formula:
        case "confidence_share":
            return _shares(scores.confidence)
        case "frame_share":
            return _shares(scores.frames)
        case "tf_idf":
            return _shares(scores.confidence) @ sparse.diags_array(class_weights)
        case "area":
            if scores.area is None:
                raise ValueError(
                    "importance=area needs areas: set feature_engineering.detector=segmenter, which measures them"
                )
            return _shares(scores.area)


def _merge_objects(objects: pd.DataFrame) -> pd.DataFrame:
    """Merge objects that have the same class and are in the same frame."""
    by_class = objects.groupby(["video_id", "frame", "class_name"], as_index=False, observed=True)
    merged = by_class.agg({"confidence": "max", "area_pct": "sum"})
    return merged.assign(area_pct=merged["area_pct"].clip(upper=100))


def _sums(
    tables: Iterable[pd.DataFrame], video_ids: pd.Index, class_names: pd.Index, columns: Mapping[str, str]
) -> dict[str, Matrix]:
    """Sum columns by `video_id` and `class_name` into one matrix per column; `columns` maps results to columns."""
    rows, classes = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    values: dict[str, list[NDArray[Any]]] = {name: [np.empty(0)] for name in columns}
    for table in tables:
        row, position = _positions(video_ids, table["video_id"]), class_positions(table["class_name"], class_names)
        is_wanted = row >= 0
        rows.append(row[is_wanted])
        classes.append(position[is_wanted])
        for name, column in columns.items():
            values[name].append(table[column].to_numpy(np.float64)[is_wanted])
    cells, shape = (np.concatenate(rows), np.concatenate(classes)), (len(video_ids), len(class_names))
    sums = {name: Matrix((np.concatenate(parts), cells), shape) for name, parts in values.items()}
    for matrix in sums.values():
        matrix.eliminate_zeros()
    return sums


def _positions(index: pd.Index, names: "pd.Series[str] | pd.Index") -> NDArray[np.int32]:
    """Return the positions of names in an index of unique names, or -1 for missing names. Looks up categories once."""
    if isinstance(names.dtype, pd.CategoricalDtype):
        categorical = pd.Categorical(names)
        return np.asarray(_positions(index, categorical.categories)[categorical.codes])
    return np.asarray(index.get_indexer(pd.Index(names)), np.int32)


def _shares(amounts: Matrix) -> Matrix:
    totals = amounts.sum(axis=1)
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return sparse.diags_array(scale) @ amounts
