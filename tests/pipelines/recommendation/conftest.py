"""A small corpus of dogs, cats and food, with two videos of each photo."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from video_recommender import schemas
from video_recommender.similarity.importance import ObjectScores, scores_from_class_scores
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace
from video_recommender.storage.partitions import Partitions

KINDS = {
    "dogs": ["beagle", "basset", "whippet"],
    "cats": ["tabby", "lynx", "siamese"],
    "food": ["pizza", "burrito", "bagel"],
}
CLASSES = [name for names in KINDS.values() for name in names]


@dataclass(frozen=True)
class Corpus:
    manifest: pd.DataFrame
    probabilities: pd.DataFrame
    counts: pd.DataFrame
    embeddings: pd.DataFrame
    features: pd.DataFrame
    points: pd.DataFrame
    space: ObjectSpace

    @property
    def object_scores(self) -> ObjectScores:
        return scores_of(self.probabilities, self.points.index)

    @property
    def class_embeddings(self) -> pd.DataFrame:
        return pd.DataFrame(self.space.class_points_, index=self.space.class_names_)

    @property
    def detections(self) -> Partitions:
        """One frame per count."""
        return Partitions.from_values(
            {
                video_id: pd.DataFrame({"class_name": row.index.repeat(row), "confidence": 0.5})
                for video_id, row in self.counts.iterrows()
            }
        )

    @property
    def stored_embeddings(self) -> Partitions:
        return Partitions.from_values(
            {video_id: pd.DataFrame({"value": row}) for video_id, row in self.embeddings.iterrows()}
        )

    def of(self, videos: int) -> "Corpus":
        """Return the corpus of the first videos of the manifest."""
        ids = self.manifest["video_id"].head(videos)
        return Corpus(
            self.manifest.head(videos),
            self.probabilities.loc[ids],
            self.counts.reindex(ids),
            self.embeddings.loc[ids],
            self.features.loc[ids],
            self.points.loc[ids],
            self.space,
        )


@pytest.fixture(scope="session")
def object_space() -> ObjectSpace:
    """Object space in which classes of one kind are close together, fitted without videos."""
    noise = np.random.default_rng(0).normal(0, 0.15, (len(CLASSES), 16))
    kinds = np.repeat(np.eye(len(KINDS), 16), 3, axis=0)
    embeddings = pd.DataFrame(kinds + noise, index=pd.Index(CLASSES, name="class_name"))
    nothing = scores_from_class_scores([], pd.Index([], dtype=str), embeddings.index)
    return ObjectSpace(FeatureOptions()).fit(nothing, embeddings)


@pytest.fixture(scope="session")
def corpus(object_space: ObjectSpace) -> Corpus:
    """36 videos, four per class; each photo is in two videos, and the category is the kind of the class."""
    random = np.random.default_rng(1)
    shots = [(kind, name, number) for number in range(4) for kind, names in KINDS.items() for name in names]
    manifest = pd.DataFrame(
        {
            "video_id": [f"{kind}/{name}-{number}" for kind, name, number in shots],
            "category": [kind for kind, _, _ in shots],
            "group": [f"{name}-{number // 2}" for _, name, number in shots],
        }
    )
    probabilities = pd.DataFrame(
        random.dirichlet(np.full(len(CLASSES), 0.2), len(shots)) * 0.2,
        index=pd.Index(manifest["video_id"], dtype=str),
        columns=pd.Index(CLASSES, name="class_name"),
    )
    for video_id, (_, name, _) in zip(manifest["video_id"], shots, strict=True):
        probabilities.loc[video_id, name] += 0.8
    features = object_space.importances(scores_of(probabilities, probabilities.index))
    return Corpus(
        manifest=_described(manifest),
        probabilities=probabilities,
        counts=(probabilities * 20).round().astype("int64"),
        embeddings=probabilities @ object_space.class_points_,
        features=features,
        points=object_space.transform(features),
        space=object_space,
    )


def scores_of(probabilities: pd.DataFrame, video_ids: pd.Index) -> ObjectScores:
    rows = probabilities.rename_axis("video_id").reset_index()
    class_scores = rows.melt("video_id", var_name="class_name", value_name="probability")
    return scores_from_class_scores([class_scores], video_ids, pd.Index(CLASSES, name="class_name"))


def _described(manifest: pd.DataFrame) -> pd.DataFrame:
    titles = manifest["video_id"].str.extract(r"/(.*)")[0]
    described = manifest.assign(title=titles, repeats=pd.Series(index=manifest.index, dtype="str"), is_used=True)
    return schemas.Corpus.validate(described[list(schemas.Corpus.to_schema().columns)])
