"""A corpus of 24 videos, of which some are added after the models of the others were made."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest

from video_recommender import schemas
from video_recommender.incremental.partitions import PartitionRecord, Partitions, StoredPartition
from video_recommender.pipelines.addition.nodes import (
    extend_object_tables,
    extend_predictions,
    extend_recommendations,
    extend_recommender,
    place_added_videos,
)
from video_recommender.pipelines.recommendation.nodes import fit_recommender, recommend_videos
from video_recommender.similarity.category_models import CategoryModel, fit_category_model
from video_recommender.similarity.importance import (
    ObjectScores,
    evidence_of_detections,
    evidence_of_probabilities,
)
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.similarity.recommender import RecommendationOptions, VideoRecommender

CLASSES = [f"object {letter}" for letter in "abcdefghij"]
KINDS = ("pets", "food", "cars")


@dataclass(frozen=True)
class Models:
    """What a whole run makes of a corpus."""

    corpus: pd.DataFrame
    space: ObjectSpace
    features: pd.DataFrame
    points: pd.DataFrame
    recommender: VideoRecommender
    recommendations: pd.DataFrame
    classifier: CategoryModel
    predictions: pd.DataFrame


class Videos:
    """Mean class probabilities of 24 videos of three kinds, and what is made of them or of some of them."""

    def __init__(self) -> None:
        random = np.random.default_rng(5)
        self.names = [f"{KINDS[number % 3]}/video-{number:02}" for number in range(24)]
        self.probabilities = {}
        for number, name in enumerate(self.names):
            shares = random.dirichlet(np.full(len(CLASSES), 0.3)) * 0.5
            shares[number % 3] += 0.5
            shown = shares > 0.02
            table = pd.DataFrame({"class_name": np.array(CLASSES)[shown], "probability": shares[shown]})
            self.probabilities[name] = table.astype({"class_name": "str"})
        self.classes = pd.DataFrame(random.normal(size=(len(CLASSES), 6)), index=pd.Index(CLASSES, name="class_name"))

    def partitions(self, tables: dict[str, pd.DataFrame] | None = None) -> Partitions:
        """As the catalog gives them."""
        tables = self.probabilities if tables is None else tables
        return Partitions(
            {
                name: StoredPartition(PartitionRecord("f"), partial(pd.DataFrame, table))
                for name, table in tables.items()
            }
        )

    def detections(self) -> Partitions:
        """The most probable object, in each of four frames."""
        tables = {
            name: pd.DataFrame({"frame": [1, 2, 3, 4], "class_name": table["class_name"].iloc[0], "confidence": 0.5})
            for name, table in self.probabilities.items()
        }
        return self.partitions(tables)

    def evidence_of(self, names: list[str], features: FeatureOptions) -> ObjectScores:
        if features.evidence == "detections":
            seen = self.detections().only(names)
            return evidence_of_detections(seen.blocks(), pd.Index(list(seen), dtype=str), pd.Index(CLASSES))
        rows = pd.concat([self.probabilities[name].assign(video_id=name) for name in names], ignore_index=True)
        return evidence_of_probabilities(rows, pd.Index(sorted(names), dtype=str), pd.Index(CLASSES))

    def corpus_of(self, names: list[str]) -> pd.DataFrame:
        ids = pd.Series(sorted(names), dtype="str")
        groups = ids.str[-2:].astype(int).floordiv(6).astype("str")
        nothing = pd.Series(index=ids.index, dtype="str")
        described = {"video_id": ids, "category": ids.str.split("/").str[0], "title": ids, "group": groups}
        return schemas.Corpus.validate(pd.DataFrame({**described, "repeats": nothing, "is_used": True}))

    def whole_run(self, names: list[str], options: RecommendationOptions, features: FeatureOptions) -> Models:
        """What a run makes that knows all of these."""
        corpus, evidence = self.corpus_of(names), self.evidence_of(names, features)
        space = ObjectSpace(features).fit(evidence, self.classes)
        importances = space.importances(evidence)
        points = space.transform(importances)
        recommender = fit_recommender(points, corpus, options)
        classifier = fit_category_model("logistic_regression", points, corpus["category"], 0)
        predictions = pd.DataFrame({"video_id": corpus["video_id"], "category": corpus["category"]})
        predictions = predictions.assign(
            predicted_category="pets", probability=1.0, fold=pd.Series(1, predictions.index, "Int64")
        )
        lists = recommend_videos(recommender, points, importances, space, options)
        return Models(corpus, space, importances, points, recommender, lists, classifier, predictions)

    def add_to(self, models: Models, options: RecommendationOptions) -> Models:
        """What the nodes of `addition` make, one after the other."""
        corpus = self.corpus_of(self.names)
        added_features, added = place_added_videos(
            self.detections(), self.partitions(), models.predictions, models.recommendations, models.space
        )
        features, points = extend_object_tables(models.features, models.points, added_features, added, models.space)
        recommender = extend_recommender(models.recommender, added, corpus)
        lists = extend_recommendations(
            models.recommendations, recommender, points, features, added, models.space, options
        )
        predictions = extend_predictions(models.predictions, models.classifier, added, corpus)
        return Models(corpus, models.space, features, points, recommender, lists, models.classifier, predictions)


@pytest.fixture(scope="session")
def videos() -> Videos:
    return Videos()
