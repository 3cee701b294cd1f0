"""How important each object is in each video."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy import sparse

from video_recommender.schemas import ClassScoreTable

Detector = Literal["classifier", "finetuned", "segmenter"]
EvidenceSource = Literal["probabilities", "detections"]
ImportanceFormula = Literal["confidence_share", "frame_share", "tf_idf", "area"]

Matrix: TypeAlias = sparse.csr_array
"""Sparse float64, shape (videos, classes)."""


@dataclass(frozen=True)
class ObjectScores:
    """How much was seen of each object in each video.

    Attributes:
        video_ids: the videos, in the order of the rows.
        class_names: every class that the network knows, in the order of the columns.
        frames: number of frames that show the object; where mean probabilities are the evidence, the expected share
            of frames.
        confidence: confidence summed over those frames; where mean probabilities are the evidence, the same as
            `frames`.
        area: part of the picture that the object covers, in hundredths, summed over the frames; None where no areas
            are known.
    """

    video_ids: pd.Index
    class_names: pd.Index
    frames: Matrix
    confidence: Matrix
    area: Matrix | None = None


def evidence_of_detections(
    detections: Iterable[pd.DataFrame], video_ids: pd.Index, class_names: pd.Index
) -> ObjectScores:
    """Count, per video and object, the frames that show it and sum their confidence.

    Args:
        detections: `Detections` with the column `video_id`, in blocks as from `Partitions.blocks`: all rows of a video
            are in one of them. Each is read once and let go.
        video_ids: the videos to describe, in order.
        class_names: every class that the network knows.

    Returns:
        The evidence; a video without detections has an empty row.

    Raises:
        ValueError: if a class is unknown to the network.
    """
    return _sum_up(detections, video_ids, class_names, lambda table: table.assign(frames=1.0), has_areas=False)


def evidence_of_segmentations(
    segmentations: Iterable[pd.DataFrame], video_ids: pd.Index, class_names: pd.Index
) -> ObjectScores:
    """Count, per video and class, the frames that show it, and sum their confidence and area.

    A frame with several objects of a class counts once, with the confidence of the most certain one and the areas of
    all of them, at most the whole picture.

    Args:
        segmentations: `Segmentations` with the column `video_id`, in blocks as in `evidence_of_detections`.
        video_ids: the videos to describe, in order.
        class_names: every class that the segmenter knows.

    Returns:
        The evidence; a video without objects has an empty row.

    Raises:
        ValueError: if a class is unknown to the segmenter.
    """
    return _sum_up(segmentations, video_ids, class_names, _per_frame, has_areas=True)


def evidence_of_segmentation_scores(
    segmentation_scores: Iterable[pd.DataFrame], video_ids: pd.Index, class_names: pd.Index
) -> ObjectScores:
    """Take what was seen of each class, be it doubtfully: its mean score as the expected share of frames that show it.

    Args:
        segmentation_scores: `SegmentationScores` with the column `video_id`, in blocks as in `evidence_of_detections`.
        video_ids: the videos to describe, in order.
        class_names: every class that the segmenter knows.

    Returns:
        The evidence; areas are means over the frames.

    Raises:
        ValueError: if a class is unknown to the segmenter.
    """

    def prepare(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(frames=table["probability"], confidence=table["probability"])

    return _sum_up(segmentation_scores, video_ids, class_names, prepare, has_areas=True)


def evidence_of_probabilities(
    class_score_table: DataFrame[ClassScoreTable], video_ids: pd.Index, class_names: pd.Index
) -> ObjectScores:
    """Take each object's mean probability over the frames as the expected share of frames that show it.

    Args:
        class_score_table: mean probabilities; rows of other videos than `video_ids` are left out.
        video_ids: the videos to describe.
        class_names: every class that the network knows.

    Returns:
        The evidence; a video without probabilities has an empty row.

    Raises:
        ValueError: if a class is unknown to the network.
    """
    expected = probability_matrix(class_score_table, video_ids, class_names)
    return ObjectScores(video_ids.rename("video_id"), class_names, frames=expected, confidence=expected)


def probability_matrix(
    class_score_table: DataFrame[ClassScoreTable], video_ids: pd.Index, class_names: pd.Index
) -> Matrix:
    """Put mean probabilities into a matrix.

    Args:
        class_score_table: mean probabilities; rows of other videos than `video_ids` are left out.
        video_ids: the rows.
        class_names: the columns.

    Returns:
        Shape (videos, classes).

    Raises:
        ValueError: if a class is not among the columns.
    """
    rows = positions_in(video_ids, class_score_table["video_id"])
    columns = class_positions(class_score_table["class_name"], class_names)
    probability = class_score_table["probability"].to_numpy(float)
    wanted = rows >= 0
    if not wanted.all():
        rows, columns, probability = rows[wanted], columns[wanted], probability[wanted]
    matrix = Matrix((probability, (rows, columns)), shape=(len(video_ids), len(class_names)))
    matrix.eliminate_zeros()
    return matrix


def positions_in(index: pd.Index, names: "pd.Series[str] | pd.Index") -> NDArray[np.int32]:
    """Find the positions of names in an index; -1 for those that it lacks.

    Args:
        index: of unique names.
        names: text, or categorical: then each category is looked up once.

    Returns:
        int32, shape (names,).
    """
    if isinstance(names.dtype, pd.CategoricalDtype):
        categorical = pd.Categorical(names)
        return np.asarray(positions_in(index, categorical.categories)[categorical.codes])
    return np.asarray(index.get_indexer(pd.Index(names)), np.int32)


def class_positions(names: "pd.Series[str] | pd.Index", class_names: pd.Index) -> NDArray[np.int32]:
    """Find the positions of classes among those that the network knows.

    Args:
        names: the classes to find.
        class_names: every class that the network knows.

    Returns:
        int32, shape (names,).

    Raises:
        ValueError: if a class is unknown to the network.
    """
    positions = positions_in(class_names, names)
    if (positions < 0).any():
        unknown = pd.Index(names)[positions < 0][0]
        raise ValueError(
            f"The class '{unknown}' is not one of the {len(class_names)} classes of the network: run "
            "detection and feature_engineering again with the same network"
        )
    return positions


def inverse_document_frequency(evidence: ObjectScores) -> NDArray[np.float64]:
    """Weigh down what every video shows.

    Args:
        evidence: of the whole corpus.

    Returns:
        ln((1 + videos) / (1 + videos with the object)) + 1, shape (classes,): smoothed as scikit-learn does it, so
        that an object that no video shows has a weight too.
    """
    videos, _ = evidence.frames.shape
    videos_with_object = np.bincount(evidence.frames.indices, minlength=len(evidence.class_names))
    return np.asarray(np.log((1 + videos) / (1 + videos_with_object)) + 1)


def applicable_formulas(evidence: ObjectScores) -> tuple[ImportanceFormula, ...]:
    """Name the formulas for which the evidence suffices: `area` needs areas."""
    return tuple(name for name in get_args(ImportanceFormula) if name != "area" or evidence.area is not None)


def measure_importance(
    evidence: ObjectScores, formula: ImportanceFormula, object_weights: NDArray[np.float64]
) -> Matrix:
    """Turn evidence into importance.

    Args:
        evidence: of any number of videos.
        formula: `confidence_share`, an object's share of the video's summed confidence; `frame_share`, its share of
            the frames; `tf_idf`, its confidence share times its weight (Salton and Buckley, 1988); `area`, its share
            of all areas, so that what is near counts more.
        object_weights: `inverse_document_frequency` of the corpus, shape (classes,).

    Returns:
        Importance, from 0; shares of one video sum to 1, and a video without evidence is all zero.

    Raises:
        ValueError: if areas are asked for and not known.
    """
    match formula:
        case "confidence_share":
            return _shares(evidence.confidence)
        case "frame_share":
            return _shares(evidence.frames)
        case "tf_idf":
            return _shares(evidence.confidence) @ sparse.diags_array(object_weights)
        case "area":
            if evidence.area is None:
                raise ValueError("Only a segmenter tells areas: choose features.detector=segmenter with them")
            return _shares(evidence.area)


def _per_frame(objects: pd.DataFrame) -> pd.DataFrame:
    by_class = objects.groupby(["video_id", "frame", "class_name"], as_index=False, observed=True)
    seen = by_class.agg({"confidence": "max", "area_pct": "sum"})
    return seen.assign(frames=1.0, area_pct=seen["area_pct"].clip(upper=100))


def _sum_up(
    blocks: Iterable[pd.DataFrame],
    video_ids: pd.Index,
    class_names: pd.Index,
    prepare: Callable[[pd.DataFrame], pd.DataFrame],
    *,
    has_areas: bool,
) -> ObjectScores:
    """Sum `frames`, `confidence` and perhaps `area_pct` by `video_id` and `class_name`."""
    shape = (len(video_ids), len(class_names))
    cells: list[NDArray[np.int64]] = []
    amounts: dict[str, list[NDArray[np.float64]]] = {"frames": [], "confidence": []}
    if has_areas:
        amounts["area_pct"] = []
    for block in blocks:
        table = prepare(block)
        rows = positions_in(video_ids, table["video_id"]).astype(np.int64)
        columns = class_positions(table["class_name"], class_names)
        found, position = np.unique(rows * len(class_names) + columns, return_inverse=True)
        cells.append(found)
        for name, summed in amounts.items():
            summed.append(np.bincount(position, table[name].to_numpy(np.float64), len(found)).astype(np.float64))
    places = np.divmod(_joined(cells, np.int64), len(class_names))

    def matrix(parts: list[NDArray[np.float64]]) -> Matrix:
        summed = Matrix((_joined(parts, np.float64), places), shape=shape)
        summed.eliminate_zeros()
        return summed

    frames, confidence, *area = map(matrix, amounts.values())
    return ObjectScores(video_ids.rename("video_id"), class_names, frames, confidence, *area)


def _joined(parts: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])


def _shares(amounts: Matrix) -> Matrix:
    totals = amounts.sum(axis=1)
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return sparse.diags_array(scale) @ amounts
