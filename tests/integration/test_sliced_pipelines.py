"""Stages that run on synthetic tables in memory, without files, network and MLflow."""

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from video_recommender.datasets import OptionalDataset
from video_recommender.incremental import Partitions
from video_recommender.similarity.category_models import ClassificationOptions
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.similarity.recommender import RecommendationOptions

OBJECTS = {"pets": ["beagle", "labrador"], "rooms": ["sofa", "armchair"], "fruit": ["banana", "lemon"]}
VIDEOS = {f"{category}/{number}": names for category, names in OBJECTS.items() for number in range(4)}


def detections_of(names, number):
    """Return the detections of five frames: four of one object of the category, one of the other."""
    return pd.DataFrame(
        {
            "frame": np.arange(1, 6, dtype=np.int64),
            "class_name": pd.Series([names[number % 2]] * 4 + [names[1 - number % 2]], dtype="str"),
            "confidence": np.full(5, 0.8, np.float32),
        }
    )


NOT_RUN = ("finetuned_detections", "finetuned_class_scores", "segmentations", "segmentation_scores")
MISSING = OptionalDataset(dataset={"type": "json.JSONDataset", "filepath": "missing.json"})


@pytest.fixture
def catalog():
    tables = {video_id: detections_of(names, int(video_id[-1])) for video_id, names in VIDEOS.items()}
    class_scores = {
        video_id: table["class_name"].value_counts(normalize=True).rename("probability").reset_index()
        for video_id, table in tables.items()
    }
    names = [name for pair in OBJECTS.values() for name in pair]
    random = np.random.default_rng(7)
    kinds = np.repeat(random.normal(size=(3, 16)), 2, axis=0)
    corpus = pd.DataFrame({"video_id": list(VIDEOS)}).assign(
        category=[video_id.split("/")[0] for video_id in VIDEOS],
        group=list(VIDEOS),
        title="",
        repeats=None,
        is_used=True,
    )
    return DataCatalog(
        {
            "detections": memory(Partitions.from_values(tables)),
            "class_scores": memory(Partitions.from_values(class_scores)),
            "class_embeddings": memory(
                pd.DataFrame(
                    (kinds + 0.3 * random.normal(size=(6, 16))).astype(np.float32),
                    index=pd.Index(names, name="class_name"),
                    columns=[f"feature_{number}" for number in range(16)],
                )
            ),
            **{name: memory(Partitions.from_values({})) for name in NOT_RUN},
            "finetuned_class_embeddings": MISSING,
            "segmented_class_embeddings": MISSING,
            "corpus": memory(corpus),
            "params:feature_engineering": memory(FeatureOptions()),
            "params:classification": memory(ClassificationOptions(folds=4)),
            "params:recommendation": memory(RecommendationOptions(neighbours=3)),
            "params:seed": memory(0),
        }
    )


def memory(content):
    return MemoryDataset(content, copy_mode="assign")


def test_detections_give_categories_and_recommendations_in_memory(catalog):
    configure_project("video_recommender")
    slices = ("feature_engineering", "classification", "recommendation")
    wanted = ["classification_metrics", "recommendations"]
    pipeline = sum((pipelines[name] for name in slices[1:]), start=pipelines[slices[0]])

    made = SequentialRunner().run(pipeline.to_outputs(*wanted), catalog)

    metrics, recommendations = (made[name].load() for name in wanted)
    assert metrics["accuracy"] == 1
    assert len(recommendations) == 3 * len(VIDEOS)
    category_of = recommendations["video_id"].str.split("/").str[0]
    assert (recommendations["recommended_video_id"].str.split("/").str[0] == category_of).all()


def test_videos_with_equal_objects_are_nearest_neighbours_and_share_them(catalog):
    configure_project("video_recommender")
    pipeline = pipelines["feature_engineering"] + pipelines["recommendation"]

    made = SequentialRunner().run(pipeline.to_outputs("recommendations"), catalog)

    nearest = made["recommendations"].load().query("rank == 1").set_index("video_id")
    assert nearest.loc["pets/0", "recommended_video_id"] == "pets/2"
    assert nearest.loc["pets/0", "similarity"] == pytest.approx(1)
    assert nearest.loc["pets/0", "shared_objects"].startswith("beagle")
