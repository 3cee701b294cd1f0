"""Evaluate recommenders and detectors on the labelled videos of a corpus."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from video_recommender.schemas import ClassEmbeddings, Corpus
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.cross_validation import accuracy, compare_models, labelled_corpus, labelled_videos
from video_recommender.similarity.importance import ObjectScores
from video_recommender.similarity.nearest_neighbours import (
    BlockScores,
    Exclusion,
    Scores,
    cosine_scores,
    find_neighbours_per_exclusion,
    group_labels,
)
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.ranking_metrics import RankedLists, precision_at_k, rate_lists, sample_queries
from video_recommender.similarity.recommender import RecommendationOptions

EVALUATED_VIDEOS: Final = 5000
"""Queries of a large corpus: the standard error of a mean precision is then at most 0.007."""
WORD: Final = r"\b[^\W\d_]{2,}\b"
"""Two or more letters: numbers in titles carry no meaning."""
TIE_BREAK: Final = 1e-6
"""Weight of the random score that orders titles with equal cosine; most pairs of titles share no word."""


class Recommended(NamedTuple):
    """Lists that are evaluated."""

    candidates: str
    """`all`, or `other_groups`: without videos of the query's group."""
    positions: NDArray[np.int64]
    """Row numbers of recommended videos, shape (queries, k); -1 where a list is shorter."""
    lists: RankedLists


@dataclass(frozen=True)
class EvaluationSet:
    """Labelled videos, which are the candidates, and a sample of them, which are the queries.

    Attributes:
        videos: `category`, `group` and `title`, index `video_id`, in alphabetical order.
        queries: row numbers of the queries.
    """

    videos: pd.DataFrame
    queries: NDArray[np.int64]

    @classmethod
    def draw(cls, video_ids: pd.Index, corpus: DataFrame[Corpus], seed: int) -> Self:
        """Select the labelled ones of some videos, and draw the queries."""
        videos = labelled_corpus(video_ids.sort_values(), corpus)
        return cls(videos, sample_queries(len(videos), EVALUATED_VIDEOS, seed))

    def cosine_scores(self, vectors: NDArray[np.float32]) -> Scores:
        """Score by the cosine of vectors, shape (videos, axes)."""
        return cosine_scores(vectors[self.queries], vectors)

    def title_scores(self, seed: int) -> Scores:
        """Score by the cosine of the titles' words, weighted by tf-idf (Spärck Jones 1972); ties are random."""
        vectoriser = TfidfVectorizer(token_pattern=WORD, sublinear_tf=True)
        titles = self.videos["title"]
        has_words = titles.str.contains(WORD).any()
        vectors = csr_array(vectoriser.fit_transform(titles)) if has_words else csr_array((len(titles), 1))
        random = np.random.default_rng(seed)

        def prepare(columns: slice) -> BlockScores:
            block = vectors[columns].T
            tie_break = TIE_BREAK * random.random(columns.stop - columns.start)
            return lambda rows: (vectors[self.queries[rows]] @ block).toarray() * (1 - TIE_BREAK) + tie_break

        return prepare

    def recommend(self, scores: Scores, k: int) -> Iterator[Recommended]:
        """Recommend k videos for each query, from all videos and from those of other groups.

        Videos of the same group are excluded before ranking, and do not count as relevant candidates.
        """
        labels = {
            "all": np.arange(len(self.videos)),
            "other_groups": group_labels(self.videos.index, self.videos["group"]),
        }
        exclusions = [Exclusion(label[self.queries], label) for label in labels.values()]
        found = find_neighbours_per_exclusion(scores, exclusions, k)
        for (candidates, label), neighbours in zip(labels.items(), found, strict=True):
            positions = neighbours.positions
            lists = rate_lists(positions, self.queries, self.videos["category"], label)
            yield Recommended(candidates, positions, lists)


def evaluate_detector(
    scores: ObjectScores,
    class_embeddings: DataFrame[ClassEmbeddings],
    corpus: DataFrame[Corpus],
    features: FeatureOptions,
    classification: ClassificationOptions,
    recommendation: RecommendationOptions,
    seed: int,
) -> dict[str, float]:
    """Measure classification and recommendation with the object scores of a detector.

    The same corpus and seed give the same folds and queries for every detector.

    Returns:
        `category_accuracy` of held-out videos and `precision_at_<k>_other_groups`, as far as they can be measured.
    """
    space = ObjectSpace(features).fit(scores, class_embeddings)
    points = space.transform(space.importances(scores))
    comparison = compare_models(labelled_videos(points, corpus), classification.candidates, classification.folds, seed)
    test, k = EvaluationSet.draw(points.index, corpus, seed), recommendation.neighbours
    vectors = points.loc[test.videos.index].to_numpy(np.float32)
    *_, other_groups = test.recommend(test.cosine_scores(vectors), k)
    metrics = {
        "category_accuracy": accuracy(comparison.predictions_of_chosen),
        f"precision_at_{k}_other_groups": precision_at_k(other_groups.lists),
    }
    return {name: value for name, value in metrics.items() if not np.isnan(value)}
