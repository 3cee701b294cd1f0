"""The space in which videos lie near each other when they show alike objects."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, ConfigDict, model_validator
from scipy import sparse
from sklearn.preprocessing import normalize

from video_recommender.schemas import (
    ClassEmbeddings,
    ClassScores,
    ClassScoreTable,
    Detections,
    Segmentations,
    SegmentationScores,
    VideoFeatures,
    VideoPoints,
)
from video_recommender.similarity.importance import (
    Detector,
    EvidenceSource,
    ImportanceFormula,
    ObjectScores,
    class_positions,
    evidence_of_detections,
    evidence_of_probabilities,
    evidence_of_segmentation_scores,
    evidence_of_segmentations,
    inverse_document_frequency,
    measure_importance,
)

Terms = NDArray[np.float32]
Positions = NDArray[np.integer[Any]]

SMALLEST_SHARE = 0.02
"""A pair of objects that makes less than this part of a similarity does not explain it."""
STRONGEST = 64
"""Objects of a video that are looked at for an explanation, so that its cost does not grow with a long tail."""
PAIRS_PER_BLOCK = 64
"""Pairs of videos that are explained at a time: what their objects have in common fits into a cache."""


class FeatureOptions(BaseModel):
    """What a video's features are made of (parameters_feature_engineering.yml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Detector = "classifier"
    evidence: EvidenceSource = "probabilities"
    importance: ImportanceFormula = "confidence_share"
    hellinger: bool = True

    @model_validator(mode="after")
    def _only_segmenters_tell_areas(self) -> Self:
        if self.importance == "area" and self.detector != "segmenter":
            raise ValueError("features.importance=area needs features.detector=segmenter: only that tells areas")
        return self


@dataclass(frozen=True)
class _StrongestObjects:
    """The most important objects of each video, most important first; both of shape (videos, objects), at most 64.

    Attributes:
        classes: numbers of their classes.
        terms: their importance, damped as for the soft cosine; 0 where a video has fewer.
    """

    classes: NDArray[np.int64]
    terms: Terms


class ObjectSpace:
    """Map of videos to points whose dot product is the soft cosine of the objects that they show.

    The soft cosine (Sidorov, Gelbukh, Gomez-Adorno and Pinto, 2014) of importances x and y is x'Sy / sqrt(x'Sx y'Sy).
    S, the similarity of classes, is W W', where W holds the rows of the network's last layer, centred and of unit
    length. So the point of x is x W, scaled to unit length.

    Args:
        options: see `FeatureOptions`.

    Attributes:
        class_names_: every class that the network knows.
        class_points_: W, float32, shape (classes, axes).
        class_similarity_: S, float32, shape (classes, classes).
        object_weights_: inverse document frequency in the corpus, float64, shape (classes,).

    Examples:
        >>> space = ObjectSpace(FeatureOptions()).fit(evidence, class_embeddings)  # doctest: +SKIP
        >>> points = space.transform(space.importances(evidence))  # doctest: +SKIP
    """

    def __init__(self, options: FeatureOptions) -> None:
        self.options = options

    def fit(self, evidence: ObjectScores, class_embeddings: DataFrame[ClassEmbeddings]) -> Self:
        """Learn how classes resemble each other, and how common each is.

        Args:
            evidence: of the whole corpus; no category is looked at.
            class_embeddings: rows of the network's last layer, index `class_name`, shape (classes, axes).

        Returns:
            The same object, fitted.
        """
        rows = class_embeddings.to_numpy(np.float32)
        self.class_names_ = pd.Index(class_embeddings.index)
        # a single class has nothing to be told from, and would be left without a direction
        self.class_points_ = normalize(rows - rows.mean(axis=0) if len(rows) > 1 else rows)
        self.class_similarity_ = self.class_points_ @ self.class_points_.T
        self.object_weights_ = inverse_document_frequency(evidence)
        return self

    def importances(self, evidence: ObjectScores) -> DataFrame[VideoFeatures]:
        """Measure how important each object is in each video.

        Args:
            evidence: of any videos, in or out of the corpus.

        Returns:
            Index `video_id`; a float32 column per object that occurs in these videos, in the network's order.
        """
        importance = measure_importance(evidence, self.options.importance, self.object_weights_)
        occurs = np.unique(importance.indices)
        features = pd.DataFrame(
            importance[:, occurs].toarray().astype(np.float32),
            index=evidence.video_ids,
            columns=evidence.class_names[occurs].rename(None),
        )
        return VideoFeatures.validate(features)

    def importances_of_video(
        self, video_id: str, detections: DataFrame[Detections], class_scores: DataFrame[ClassScores]
    ) -> DataFrame[VideoFeatures]:
        """Measure how important each object is in one video, which need not be in the corpus.

        Args:
            video_id: what to call it.
            detections: the most probable object in each frame.
            class_scores: the mean probability of each object.

        Returns:
            One row, as `importances` gives it.

        Raises:
            ValueError: if a class is unknown to the network.
        """
        video_ids = pd.Index([video_id], dtype=str)
        if self.options.evidence == "detections":
            seen = detections.assign(video_id=video_id)
            return self.importances(evidence_of_detections([seen], video_ids, self.class_names_))
        class_score_table = ClassScoreTable.validate(class_scores.assign(video_id=video_id))
        return self.importances(evidence_of_probabilities(class_score_table, video_ids, self.class_names_))

    def importances_of_segmented_video(
        self, video_id: str, segmentations: DataFrame[Segmentations], segmentation_scores: DataFrame[SegmentationScores]
    ) -> DataFrame[VideoFeatures]:
        """Measure how important each object is in one video that was segmented, which need not be in the corpus.

        Args:
            video_id: what to call it.
            segmentations: the objects in each frame.
            segmentation_scores: what was seen of each class, be it doubtfully.

        Returns:
            One row, as `importances` gives it.

        Raises:
            ValueError: if a class is unknown to the segmenter.
        """
        video_ids = pd.Index([video_id], dtype=str)
        if self.options.evidence == "detections":
            objects = segmentations.assign(video_id=video_id)
            return self.importances(evidence_of_segmentations([objects], video_ids, self.class_names_))
        seen = segmentation_scores.assign(video_id=video_id)
        return self.importances(evidence_of_segmentation_scores([seen], video_ids, self.class_names_))

    def transform(self, importances: DataFrame[VideoFeatures]) -> DataFrame[VideoPoints]:
        """Place videos in object space.

        Args:
            importances: index `video_id`, a column per object; objects that are not named count as absent.

        Returns:
            Index `video_id`, float32 columns `axis_0001`, …; rows of unit length, zero for a video without objects.

        Raises:
            ValueError: if an object is unknown to the network.
        """
        columns = class_positions(importances.columns, self.class_names_)
        terms = sparse.csr_array(self._damped(importances.to_numpy(np.float32)))
        points = terms @ self.class_points_[columns]
        if len(points):
            points = normalize(points, copy=False)
        axes = [f"axis_{number:04}" for number in range(1, points.shape[1] + 1)]
        return VideoPoints.validate(pd.DataFrame(points, index=importances.index, columns=axes))

    def shared_objects(
        self, importances_a: DataFrame[VideoFeatures], importances_b: DataFrame[VideoFeatures], top: int = 3
    ) -> list[str]:
        """Name the objects that make pairs of videos alike.

        The numerator of the soft cosine is a sum over pairs of objects, x_i S_ij y_j. The greatest are named, each
        object once per video, and none that makes less than 2 % of the sum. Only the 64 greatest importances of a video
        are looked at.

        Args:
            importances_a: as `importances` gives it; each row is the first video of a pair.
            importances_b: the second video of each pair, in the same order; its columns may be others.
            top: at most how many to name.

        Returns:
            Per pair, comma-separated, greatest first: `tennis ball` where both show it, `beagle ~ basset` where the
            first shows the one and the second the other; empty if nothing makes them alike.

        Raises:
            ValueError: if an object is unknown to the network, or the tables differ in length.
        """
        if len(importances_a) != len(importances_b):
            raise ValueError(
                f"{len(importances_a)} videos cannot be paired with {len(importances_b)}: give as many of both"
            )
        rows = np.arange(len(importances_a))
        return self._name_shared(self._strongest(importances_a), rows, self._strongest(importances_b), rows, top)

    def shared_objects_of_pairs(
        self, importances: DataFrame[VideoFeatures], video_ids: pd.Index, other_ids: pd.Index, top: int = 3
    ) -> list[str]:
        """Name the objects that make pairs of videos alike, where each video is in many pairs.

        Args:
            importances: as `importances` gives it, of all these videos.
            video_ids: the first video of each pair.
            other_ids: the second video of each pair, in the same order.
            top: at most how many to name.

        Returns:
            As `shared_objects` gives it.

        Raises:
            ValueError: if an object is unknown to the network.
            KeyError: if there are no importances of a video.
        """
        described = importances.loc[video_ids.union(other_ids).unique()]
        strongest = self._strongest(described)
        rows, others = (described.index.get_indexer(videos) for videos in (video_ids, other_ids))
        return self._name_shared(strongest, rows, strongest, others, top)

    def _strongest(self, importances: DataFrame[VideoFeatures]) -> _StrongestObjects:
        positions = class_positions(importances.columns, self.class_names_).astype(np.int64)
        rows = importances.to_numpy(np.float32)
        ranked = np.array([np.argsort(-row, kind="stable")[:STRONGEST] for row in rows], dtype=np.int64)
        ranked = ranked.reshape(len(rows), min(STRONGEST, len(positions)))
        return _StrongestObjects(positions[ranked], self._damped(np.take_along_axis(rows, ranked, axis=1)))

    def _name_shared(
        self,
        strongest_a: _StrongestObjects,
        rows_a: Positions,
        strongest_b: _StrongestObjects,
        rows_b: Positions,
        top: int,
    ) -> list[str]:
        named: list[str] = []
        for start in range(0, len(rows_a), PAIRS_PER_BLOCK):
            block = slice(start, start + PAIRS_PER_BLOCK)
            classes_a, classes_b = strongest_a.classes[rows_a[block]], strongest_b.classes[rows_b[block]]
            cells = classes_a[:, :, np.newaxis] * len(self.class_similarity_) + classes_b[:, np.newaxis, :]
            parts = self.class_similarity_.take(cells)
            parts *= strongest_a.terms[rows_a[block], :, np.newaxis]
            parts *= strongest_b.terms[rows_b[block], np.newaxis, :]
            named += self._name_greatest(parts, classes_a, classes_b, top)
        return named

    def _name_greatest(
        self, parts: NDArray[np.float32], classes_a: NDArray[np.int64], classes_b: NDArray[np.int64], top: int
    ) -> list[str]:
        similarity = parts.sum(axis=(1, 2))
        least = np.where(similarity > 0, SMALLEST_SHARE * similarity, np.inf)
        pairs = np.arange(len(parts))
        names = self.class_names_.to_numpy(dtype=object)
        named: list[list[str]] = [[] for _ in pairs]
        for _ in range(min(top, *parts.shape[1:])):
            rows, columns = np.divmod(parts.reshape(len(pairs), -1).argmax(axis=1), parts.shape[2])
            ours, theirs = names[classes_a[pairs, rows]], names[classes_b[pairs, columns]]
            for pair in np.flatnonzero(parts[pairs, rows, columns] > least):
                same = ours[pair] == theirs[pair]
                named[pair].append(ours[pair] if same else f"{ours[pair]} ~ {theirs[pair]}")
            parts[pairs, rows, :] = -np.inf
            parts[pairs, :, columns] = -np.inf
        return [", ".join(objects) for objects in named]

    def _damped(self, amounts: Terms) -> Terms:
        return np.sqrt(amounts) if self.options.hellinger else amounts
