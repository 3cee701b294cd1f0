"""The feature engineering stage as a whole, on its own catalog and parameters."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from video_recommender.partitions import PartitionRecord, Partitions, StoredPartition
from video_recommender.pipelines.feature_engineering import create_pipeline
from video_recommender.pipelines.feature_engineering.nodes import gather_evidence
from video_recommender.pipelines.feature_engineering.object_space import FeatureOptions

CONF = Path(__file__).parents[3] / "conf" / "base"


def frames_of(*names: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frame": np.arange(1, len(names) + 1, dtype=np.int64),
            "class_name": pd.Series(names, dtype=str),
            "confidence": np.full(len(names), 0.5, np.float32),
        }
    )


def stored(status: str, *names: str) -> StoredPartition:
    return StoredPartition(PartitionRecord("", status), partial(frames_of, *names))


@pytest.fixture
def detections() -> Partitions:
    return Partitions(
        {
            "pets/one": stored("ok", "beagle", "sofa"),
            "pets/dark": stored("ok"),
            "pets/broken": stored("unreadable"),
        }
    )


@pytest.fixture
def class_evidence() -> pd.DataFrame:
    return pd.DataFrame({"video_id": ["pets/one"] * 2, "class_name": ["beagle", "labrador"], "probability": [0.5, 0.3]})


@pytest.mark.parametrize("evidence", ["probabilities", "detections"])
def test_every_usable_video_becomes_a_point(
    tmp_path: Path,
    detections: Partitions,
    class_evidence: pd.DataFrame,
    class_embeddings: pd.DataFrame,
    evidence: str,
) -> None:
    loader = OmegaConfigLoader(str(CONF.parent), base_env="base", default_run_env="base")
    loader["globals"] = {"data": str(tmp_path), "seed": 0}
    loader.config_patterns["catalog"] = ["catalog_feature_engineering.yml"]
    loader.config_patterns["parameters"] = ["parameters_feature_engineering.yml"]
    catalog = DataCatalog.from_config(loader["catalog"])
    options = FeatureOptions(**{**loader["parameters"]["features"], "evidence": evidence})
    for name, content in {
        "detections": detections,
        "class_evidence": class_evidence,
        "class_embeddings": class_embeddings,
        "params:features": options,
    }.items():
        catalog[name] = MemoryDataset(content, copy_mode="assign")

    SequentialRunner().run(create_pipeline(), catalog)

    features, points = catalog.load("video_features"), catalog.load("video_points")
    assert list(features.index) == ["pets/dark", "pets/one"]
    assert set(features.columns) == {"beagle", "labrador" if evidence == "probabilities" else "sofa"}
    assert points.index.equals(features.index)
    assert set(points.dtypes) == {np.dtype(np.float32)}


def test_detections_stay_unread_where_probabilities_are_the_evidence(
    class_evidence: pd.DataFrame, class_embeddings: pd.DataFrame
) -> None:
    def refuse() -> pd.DataFrame:
        raise AssertionError

    unreadable = Partitions({"pets/one": StoredPartition(PartitionRecord(""), refuse)})

    evidence = gather_evidence(unreadable, class_evidence, class_embeddings, FeatureOptions(evidence="probabilities"))

    assert list(evidence.video_ids) == ["pets/one"]
    with pytest.raises(AssertionError):
        gather_evidence(unreadable, class_evidence, class_embeddings, FeatureOptions(evidence="detections"))


def test_a_misspelt_option_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="helinger"):
        FeatureOptions(helinger=False)
