"""Evaluate classifiers, recommenders and detectors on the labelled videos of a corpus.

Ranking metrics follow the definitions of https://github.com/recommenders-team/recommenders. A recommended video is
relevant if it has the category of the query. Metrics are means over the lists with at least one relevant candidate. If
there are no such lists, metrics are NaN.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from pandera.typing import DataFrame
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from video_recommender.schemas import CategoryPredictions, ClassEmbeddings, Corpus
from video_recommender.similarity.category_models import (
    ClassificationOptions,
    accuracy,
    compare_models,
    labelled_corpus,
    labelled_videos,
)
from video_recommender.similarity.importance import ObjectScores
from video_recommender.similarity.nearest_neighbours import (
    BlockScores,
    Exclusion,
    Labels,
    Matrix,
    Scores,
    cosine_scores,
    find_neighbours_per_exclusion,
    group_labels,
    unit_rows,
)
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.recommender import RecommendationOptions

EVALUATED_VIDEOS: Final = 5000  # maximum number of queries, which gives precisions a standard error of at most 0.007
WORD: Final = r"\b[^\W\d_]{2,}\b"  # two or more letters; numbers in titles carry no meaning
TIE_BREAK: Final = 1e-6  # weight of the random score that breaks ties; most pairs of titles share no word
LISTS_PER_BLOCK: Final = 256
MAX_CATEGORIES_WITH_COUNTS: Final = 25  # with more categories, the numbers in the cells are too small to read


@dataclass(frozen=True)
class RankedLists:
    """Relevance of the recommended videos of each query."""

    hits: NDArray[np.bool_]  # shape (lists, k), best rank first; missing ranks of shorter lists are False
    relevant: NDArray[np.int64]  # shape (lists,): number of relevant candidates

    def __post_init__(self) -> None:
        if (self.hits.sum(axis=1) > self.relevant).any():
            raise ValueError("A list has more hits than relevant candidates: correct the counts in `relevant`")

    @property
    def measurable(self) -> "RankedLists":
        """Lists with at least one relevant candidate."""
        return RankedLists(self.hits[self.relevant > 0], self.relevant[self.relevant > 0])


def rate_lists(
    positions: NDArray[np.int64], queries: NDArray[np.int64], categories: pd.Series, labels: Labels
) -> RankedLists:
    """Determine which recommended videos are relevant.

    `positions` are the row numbers of recommended videos, shape (queries, k), or -1 for missing ranks. `categories` and
    `labels` have the shape (videos,). Videos with the label of the query are not candidates.
    """
    codes = categories.factorize()[0]
    same_category = categories.groupby(codes).transform("size").to_numpy(np.int64)
    excluded = categories.groupby([codes, labels]).transform("size").to_numpy(np.int64)
    hits = (positions >= 0) & (codes[positions] == codes[queries, np.newaxis])
    return RankedLists(hits, (same_category - excluded)[queries])


@dataclass(frozen=True)
class EvaluationSet:
    """Labelled videos as candidates, and a sample of these videos as queries."""

    videos: pd.DataFrame  # rows of `Corpus` with the index `video_id`, in alphabetical order
    queries: NDArray[np.int64]  # row numbers of the queries, ascending

    @classmethod
    def draw(cls, video_ids: pd.Index, corpus: DataFrame[Corpus], seed: int) -> Self:
        """Select the labelled videos among `video_ids`, and sample at most `EVALUATED_VIDEOS` of them as queries."""
        videos = labelled_corpus(video_ids.sort_values(), corpus)
        return cls(videos, np.sort(np.random.default_rng(seed).permutation(len(videos))[:EVALUATED_VIDEOS]))

    def cosine_scores(self, vectors: NDArray[np.float32]) -> Scores:
        """Score candidates by cosine similarity of vectors, shape (videos, axes)."""
        return cosine_scores(vectors[self.queries], vectors)

    def title_scores(self, seed: int) -> Scores:
        """Score candidates by cosine similarity of tf-idf vectors of titles (Spärck Jones 1972). Ties are random."""
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

    def evaluate(self, scores: Scores, k: int, points: Matrix) -> Iterator[dict[str, str | int | float]]:
        """Recommend k videos for each query, and compute ranking metrics.

        For the candidates `other_groups`, videos of the query's group are excluded before ranking, and do not count as
        relevant candidates. Diversity is computed from `points`, shape (videos, axes).

        Yields:
            One row of `RecommendationReport` without `system` for the candidates `all`, then one for `other_groups`.
        """
        groups = group_labels(self.videos.index, self.videos["group"])
        labels = {"all": np.arange(len(self.videos)), "other_groups": groups}
        exclusions = [Exclusion(label[self.queries], label) for label in labels.values()]
        found = find_neighbours_per_exclusion(scores, exclusions, k)
        for (candidates, label), neighbours in zip(labels.items(), found, strict=True):
            positions = neighbours.positions
            lists = rate_lists(positions, self.queries, self.videos["category"], label)
            yield {
                "candidates": candidates,
                "neighbours": k,
                "videos": len(lists.measurable.relevant),
                "precision": precision_at_k(lists),
                "ndcg": ndcg_at_k(lists),
                "map": map_at_k(lists),
                "intra_list_diversity": intra_list_diversity(positions, points),
                "catalogue_coverage": catalogue_coverage(positions, len(self.videos)),
            }


def evaluate_detector(
    scores: ObjectScores,
    class_embeddings: DataFrame[ClassEmbeddings],
    corpus: DataFrame[Corpus],
    feature_options: FeatureOptions,
    classification: ClassificationOptions,
    recommendation: RecommendationOptions,
    seed: int,
) -> dict[str, float]:
    """Compute `category_accuracy` of held-out videos and `precision_at_<k>_other_groups`, both from 0 to 1.

    Metrics that cannot be computed are omitted. Folds and queries depend only on the corpus and the seed, so the
    results of different detectors are comparable.
    """
    space = ObjectSpace(feature_options).fit(scores, class_embeddings)
    points = space.transform(space.importances(scores))
    comparison = compare_models(labelled_videos(points, corpus), classification.candidates, classification.folds, seed)
    test, k = EvaluationSet.draw(points.index, corpus, seed), recommendation.neighbours
    vectors = points.loc[test.videos.index].to_numpy(np.float32)
    _, other_groups = test.evaluate(test.cosine_scores(vectors), k, vectors)
    metrics = {
        "category_accuracy": accuracy(comparison.predictions_of_chosen),
        f"precision_at_{k}_other_groups": float(other_groups["precision"]),
    }
    return {name: value for name, value in metrics.items() if not np.isnan(value)}


def precision_at_k(lists: RankedLists) -> float:
    """Compute precision@k: hits divided by k, even for lists with fewer than k videos or relevant candidates."""
    return _mean(lists.measurable.hits.mean(axis=1))


def ndcg_at_k(lists: RankedLists) -> float:
    """Compute nDCG@k with binary relevance (Järvelin and Kekäläinen 2002): the mean ratio of DCG and ideal DCG.

    DCG = Σ hit(rank) / log2(1 + rank). In the ideal list, the first min(k, relevant) videos are hits.
    """
    lists = lists.measurable
    discounts = 1 / np.log2(np.arange(2, lists.hits.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(lists.relevant, len(discounts)) - 1]
    return _mean(lists.hits @ discounts / ideal)


def map_at_k(lists: RankedLists) -> float:
    """Compute MAP@k: the mean over lists of Σ precision@rank over the hits, divided by min(k, relevant)."""
    lists = lists.measurable
    ranks = np.arange(1, lists.hits.shape[1] + 1)
    precisions = np.where(lists.hits, lists.hits.cumsum(axis=1) / ranks, 0)
    return _mean(precisions.sum(axis=1) / np.minimum(lists.relevant, len(ranks)))


def intra_list_diversity(positions: NDArray[np.int64], points: Matrix) -> float:
    """Compute the mean over lists of the mean of 1 - cosine over pairs of listed videos (Ziegler et al. 2005).

    The range is 0 (identical) to 2 (opposite). `points` has the shape (videos, axes). Use the same space for all
    recommenders. For `positions`, see `rate_lists`.
    """
    lengths = (positions >= 0).sum(axis=1)
    positions, lengths = positions[lengths > 1], lengths[lengths > 1]
    similarities = np.empty(len(positions))
    for start in range(0, len(positions), LISTS_PER_BLOCK):
        rows = slice(start, start + LISTS_PER_BLOCK)
        listed = positions[rows]
        vectors = unit_rows(points[listed.ravel()]).reshape(*listed.shape, points.shape[1])
        vectors[listed < 0] = 0
        # |Σv|² = Σ|v|² + 2 Σ over pairs. This formula avoids the matrix of pairs.
        similarities[rows] = (vectors.sum(axis=1) ** 2).sum(axis=1) - (vectors**2).sum(axis=(1, 2))
    return _mean(np.clip(1 - similarities / (lengths * (lengths - 1)), 0, 2))


def catalogue_coverage(positions: NDArray[np.int64], videos: int) -> float:
    """Compute the share of videos that are recommended at least once. For `positions`, see `rate_lists`."""
    recommended = np.unique(positions[positions >= 0])
    return len(recommended) / videos if len(recommended) else float("nan")


def plot_confusion_matrix(
    category_predictions: DataFrame[CategoryPredictions], items: str = "videos", label: str = "category"
) -> go.Figure:
    """Plot a row-normalised confusion matrix of held-out `items`. `label` is the name of the axes."""
    measured = category_predictions[category_predictions["fold"].notna()]
    categories = sorted(measured["category"].unique())
    figure, title = go.Figure(), f"Too few {items} to evaluate"
    if categories:
        counts = pd.crosstab(measured["category"], measured["predicted_category"])
        counts = counts.reindex(index=categories, columns=categories, fill_value=0)
        figure.add_heatmap(
            z=counts.div(counts.sum(axis=1), axis=0).to_numpy().tolist(),
            x=categories,
            y=categories,
            text=counts.to_numpy().tolist(),
            texttemplate="%{text}" if len(categories) <= MAX_CATEGORIES_WITH_COUNTS else None,
            hovertemplate="%{text} videos of %{y} (%{z:.0%}) predicted as %{x}<extra></extra>",
            colorscale="Blues",
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            colorbar={"title": {"text": "share of row"}, "tickformat": ".0%", "outlinewidth": 0, "thickness": 14},
        )
        accuracy = (measured["category"] == measured["predicted_category"]).mean()
        title = f"{accuracy:.1%} of {len(measured)} held-out {items} classified correctly"
    side = max(440, min(1200, 160 + 90 * len(categories)))
    axis = {"type": "category", "showgrid": False, "automargin": True}
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 18}},
        font={"size": 14},
        width=side + 140,
        height=side,
        margin={"l": 20, "r": 20, "t": 70, "b": 20},
        xaxis=axis | {"title": {"text": f"predicted {label}"}},
        yaxis=axis | {"title": {"text": label}, "autorange": "reversed"},
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
