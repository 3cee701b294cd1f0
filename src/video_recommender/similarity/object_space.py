"""Embed videos in object space, where videos with similar objects are close together."""

from collections.abc import Iterable
from copy import copy
from typing import Any, Final, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from pydantic import BaseModel, model_validator
from scipy import sparse
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from video_recommender.schemas import ClassEmbeddings, SpaceMap, VideoFeatures, VideoPoints
from video_recommender.similarity.importance import (
    Detector,
    ImportanceFormula,
    ObjectScores,
    ScoreSource,
    class_positions,
    inverse_document_frequency,
    measure_importance,
    scores_from_class_scores,
    scores_from_detections,
)

Rows = NDArray[np.integer[Any]]

MIN_SHARE: Final = 0.02  # minimum share of a listed pair of objects in the similarity of two videos
MAX_OBJECTS: Final = 64  # maximum number of compared objects per video; time is quadratic in this number
PAIRS_PER_BLOCK: Final = 64  # the products of objects of this many pairs of videos fit into the CPU cache
MIN_MAP_VIDEOS: Final = 4
VIDEOS_PER_NEIGHBOUR: Final = 3  # the perplexity is at most a third of the number of other videos


class FeatureOptions(BaseModel, extra="forbid", frozen=True):
    """Options of object scores, importance and object space (parameters_feature_engineering.yml)."""

    detector: Detector = "classifier"
    scores: ScoreSource = "class_scores"
    importance: ImportanceFormula = "confidence_share"
    hellinger: bool = True

    @model_validator(mode="after")
    def _area_needs_segmenter(self) -> Self:
        if self.importance == "area" and self.detector != "segmenter":
            raise ValueError(
                "importance=area needs areas: set feature_engineering.detector=segmenter, which measures them"
            )
        return self


def score_objects(
    detections: Iterable[pd.DataFrame],
    class_scores: Iterable[pd.DataFrame],
    video_ids: pd.Index,
    class_names: pd.Index,
    options: FeatureOptions,
) -> ObjectScores:
    """Compute object scores from detections or from class scores, as set in `options`.

    The other tables are not read. For the segmenter, pass segmentations and segmentation scores.
    """
    has_areas = options.detector == "segmenter"
    if options.scores == "class_scores":
        return scores_from_class_scores(class_scores, video_ids, class_names, has_areas=has_areas)
    return scores_from_detections(detections, video_ids, class_names, has_areas=has_areas)


class _TopObjects(NamedTuple):
    """The most important objects of each video, in descending order."""

    classes: NDArray[np.int64]  # shape (videos, objects): positions in `class_names_`
    weights: NDArray[np.float32]  # shape (videos, objects): importances, or their square roots with `hellinger`


class ObjectSpace:
    """Vector space in which the dot product of two videos is the soft cosine of their objects.

    The soft cosine (Sidorov et al. 2014) of importances x and y is x'Sy / sqrt(x'Sx y'Sy). The class similarity S is
    W W', where W contains the rows of the network's last layer, centred and scaled to unit length. The point of x is
    x W, scaled to unit length.

    Attributes:
        class_names_: all classes of the network.
        class_points_: W, float32, shape (classes, axes).
        class_similarity_: S, float32, shape (classes, classes).
        class_weights_: inverse document frequencies in the corpus, float64, shape (classes,).
    """

    def __init__(self, options: FeatureOptions) -> None:
        self.options = options

    def fit(self, scores: ObjectScores, class_embeddings: DataFrame[ClassEmbeddings]) -> Self:
        """Compute the class similarity from the network's last layer, and the class weights from the corpus."""
        rows = class_embeddings.to_numpy(np.float32)
        self.class_names_ = pd.Index(class_embeddings.index)
        # Centring a single class would give a zero vector.
        self.class_points_ = normalize(rows - rows.mean(axis=0) if len(rows) > 1 else rows)
        self.class_similarity_ = self.class_points_ @ self.class_points_.T
        self.class_weights_ = inverse_document_frequency(scores)
        return self

    def with_importance(self, formula: ImportanceFormula) -> "ObjectSpace":
        """Return a copy of the fitted space with another importance formula."""
        other = copy(self)
        other.options = self.options.model_copy(update={"importance": formula})
        return other

    def importances(self, scores: ObjectScores) -> DataFrame[VideoFeatures]:
        """Compute the importance, float32, of each object that occurs in these videos, in the order of the network."""
        importance = measure_importance(scores, self.options.importance, self.class_weights_)
        occurring = np.unique(importance.indices)
        features = pd.DataFrame(
            importance[:, occurring].toarray().astype(np.float32),
            index=scores.video_ids.rename("video_id"),
            columns=scores.class_names[occurring].rename(None),
        )
        return VideoFeatures.validate(features)

    def importances_of_video(
        self, video_id: str, detections: pd.DataFrame, class_scores: pd.DataFrame
    ) -> DataFrame[VideoFeatures]:
        """Compute the importance of each object in one video from the tables of the detector in `options`."""
        per_frame, per_class = detections.assign(video_id=video_id), class_scores.assign(video_id=video_id)
        video_ids = pd.Index([video_id], dtype=str)
        return self.importances(score_objects([per_frame], [per_class], video_ids, self.class_names_, self.options))

    def transform(self, importances: DataFrame[VideoFeatures]) -> DataFrame[VideoPoints]:
        """Compute the point of each video, float32, shape (videos, axes), of unit length, or 0 without objects."""
        columns = class_positions(importances.columns, self.class_names_)
        weights = sparse.csr_array(self._weights(importances.to_numpy(np.float32)))
        points = weights @ self.class_points_[columns]
        if len(points):
            points = normalize(points, copy=False)
        axes = [f"axis_{number:04}" for number in range(1, points.shape[1] + 1)]
        return VideoPoints.validate(pd.DataFrame(points, index=importances.index, columns=axes))

    def shared_objects(
        self, importances_a: DataFrame[VideoFeatures], importances_b: DataFrame[VideoFeatures], top: int = 3
    ) -> list[str]:
        """List the objects that make pairs of videos similar.

        The numerator of the soft cosine is a sum over pairs of objects, x_i S_ij y_j. The largest terms are listed if
        they are at least 2 % of the sum, with each object at most once per video. Only the 64 most important objects of
        a video are compared. Rows n of the two tables form a pair. The tables can have different columns.

        Returns:
            Up to `top` objects per pair, comma-separated, largest term first: `tennis ball` for an object of both
            videos, `beagle ~ basset` for similar objects of the two videos. Empty without similar objects.

        Raises:
            ValueError: if the tables have different numbers of rows.
        """
        count, others = len(importances_a), len(importances_b)
        if count != others:
            raise ValueError(f"{count} videos cannot be paired with {others}: pass two tables of the same length")
        rows = np.arange(count)
        return self._explain(self._top_objects(importances_a), rows, self._top_objects(importances_b), rows, top)

    def shared_objects_of_pairs(
        self, importances: DataFrame[VideoFeatures], video_ids: pd.Index, other_ids: pd.Index, top: int = 3
    ) -> list[str]:
        """Call `shared_objects` for pairs of ids. This is faster if videos are in several pairs."""
        needed = importances.loc[video_ids.union(other_ids).unique()]
        objects = self._top_objects(needed)
        rows, others = (needed.index.get_indexer(videos) for videos in (video_ids, other_ids))
        return self._explain(objects, rows, objects, others, top)

    def _weights(self, importances: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.sqrt(importances) if self.options.hellinger else importances

    def _top_objects(self, importances: DataFrame[VideoFeatures]) -> _TopObjects:
        positions = class_positions(importances.columns, self.class_names_).astype(np.int64)
        rows = importances.to_numpy(np.float32)
        ranked = np.array([np.argsort(-row, kind="stable")[:MAX_OBJECTS] for row in rows], dtype=np.int64)
        ranked = ranked.reshape(len(rows), min(MAX_OBJECTS, len(positions)))
        return _TopObjects(positions[ranked], self._weights(np.take_along_axis(rows, ranked, axis=1)))

    def _explain(self, first: _TopObjects, rows: Rows, second: _TopObjects, others: Rows, top: int) -> list[str]:
        explained: list[str] = []
        for start in range(0, len(rows), PAIRS_PER_BLOCK):
            a, b = rows[start : start + PAIRS_PER_BLOCK], others[start : start + PAIRS_PER_BLOCK]
            cells = first.classes[a][:, :, np.newaxis] * len(self.class_names_) + second.classes[b][:, np.newaxis, :]
            terms = self.class_similarity_.take(cells)
            terms *= first.weights[a][:, :, np.newaxis]
            terms *= second.weights[b][:, np.newaxis, :]
            explained += self._name_largest(terms, first.classes[a], second.classes[b], top)
        return explained

    def _name_largest(
        self, terms: NDArray[np.float32], classes_a: NDArray[np.int64], classes_b: NDArray[np.int64], top: int
    ) -> list[str]:
        similarity = terms.sum(axis=(1, 2))
        least = np.where(similarity > 0, MIN_SHARE * similarity, np.inf)
        pairs = np.arange(len(terms))
        names = self.class_names_.to_numpy(dtype=object)
        named: list[list[str]] = [[] for _ in pairs]
        for _ in range(min(top, *terms.shape[1:])):
            rows, columns = np.divmod(terms.reshape(len(pairs), -1).argmax(axis=1), terms.shape[2])
            objects_a, objects_b = names[classes_a[pairs, rows]], names[classes_b[pairs, columns]]
            for pair in np.flatnonzero(terms[pairs, rows, columns] > least):
                a, b = objects_a[pair], objects_b[pair]
                named[pair].append(a if a == b else f"{a} ~ {b}")
            terms[pairs, rows, :] = -np.inf
            terms[pairs, :, columns] = -np.inf
        return [", ".join(objects) for objects in named]


def project_to_map(points: pd.DataFrame, perplexity: float = 30.0, seed: int = 0) -> DataFrame[SpaceMap]:
    """Project videos to two dimensions by t-SNE (van der Maaten and Hinton 2008) with cosine distance.

    The first two principal components are the initial positions, which preserves the global structure (Kobak and
    Berens 2019, doi:10.1038/s41467-019-13056-x).

    Args:
        points: `VideoPoints`, or other vectors with the index `video_id`, of at least four videos.
        perplexity: effective number of neighbours, limited to a third of the number of other videos.
        seed: random seed.
    """
    from sklearn.manifold import TSNE  # local import, because it takes 50 ms and no pipeline needs it

    if len(points) < MIN_MAP_VIDEOS:
        raise ValueError(f"A map needs at least {MIN_MAP_VIDEOS} videos, but there are {len(points)}: add more")
    perplexity = min(perplexity, (len(points) - 1) / VIDEOS_PER_NEIGHBOUR)
    t_sne = TSNE(perplexity=perplexity, metric="cosine", init="pca", random_state=seed)
    with threadpool_limits(1, "openmp"):  # iterations are too short to benefit from several threads
        flat = t_sne.fit_transform(points.to_numpy(np.float32))
    return SpaceMap.validate(pd.DataFrame(flat, index=points.index, columns=["x", "y"]))
