"""Run the classification pipeline with its own catalog and parameters."""

from pathlib import Path

import pandas as pd
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from video_recommender.pipelines.classification import create_pipeline
from video_recommender.similarity.category_models import ClassificationOptions

CONF = Path(__file__).parents[3] / "conf"


def test_the_pipeline_saves_every_dataset_of_its_catalog(
    tmp_path: Path, corpus: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    loader = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="base")
    loader["globals"] = {"data": str(tmp_path), "seed": 0}
    loader.config_patterns["catalog"] = ["catalog_classification.yml"]
    loader.config_patterns["parameters"] = ["parameters_classification.yml"]
    catalog = DataCatalog.from_config(loader["catalog"])
    points, manifest = corpus
    catalog["video_points"] = MemoryDataset(points)
    catalog["corpus"] = MemoryDataset(manifest)
    options = ClassificationOptions(**loader["parameters"]["classification"])
    catalog["params:classification"] = MemoryDataset(options, copy_mode="assign")
    catalog["params:seed"] = MemoryDataset(0)

    SequentialRunner().run(create_pipeline(), catalog)

    assert set(loader["catalog"]) >= create_pipeline().outputs()
    assert all(catalog.exists(name) for name in loader["catalog"])
    assert options == ClassificationOptions()
    assert len(catalog.load("category_predictions")) == len(points)
    assert catalog.load("classification_metrics")["n_videos"] == 60
    assert set(catalog.load("category_classifier").predict(points)) == {"food", "pets", "rooms"}
