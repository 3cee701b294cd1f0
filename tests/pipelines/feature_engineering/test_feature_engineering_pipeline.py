"""Run the feature engineering pipeline with its own catalog and parameters, and its nodes for each detector."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from video_recommender.pipelines.feature_engineering import create_pipeline
from video_recommender.pipelines.feature_engineering.nodes import fit_object_space
from video_recommender.similarity.importance import measure_importance
from video_recommender.similarity.object_space import FeatureOptions
from video_recommender.storage.partitions import Partitions, PartitionState

CONF = Path(__file__).parents[3] / "conf" / "base"


def frames_of(*names: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frame": np.arange(1, len(names) + 1, dtype=np.int64),
            "class_name": pd.Series(names, dtype=str),
            "confidence": np.full(len(names), 0.5, np.float32),
        }
    )


@pytest.fixture
def detections() -> Partitions:
    return Partitions.from_values(
        {"pets/one": frames_of("beagle", "sofa"), "pets/dark": frames_of()},
        {"pets/broken": PartitionState(status="unreadable")},
    )


NOT_RUN = {
    "finetuned_detections": Partitions(),
    "finetuned_class_scores": Partitions(),
    "finetuned_class_embeddings": None,
    "segmentations": Partitions(),
    "segmentation_scores": Partitions(),
    "segmented_class_embeddings": None,
}
"""Inputs of detectors that have not run."""


@pytest.fixture
def class_scores() -> Partitions:
    return scores_of(beagle=0.5, labrador=0.3)


def scores_of(**probabilities: float) -> Partitions:
    table = pd.DataFrame({"class_name": list(probabilities), "probability": list(probabilities.values())})
    return Partitions.from_values({"pets/one": table})


@pytest.mark.parametrize("source", ["class_scores", "detections"])
def test_every_usable_video_has_a_point(
    tmp_path: Path,
    detections: Partitions,
    class_scores: Partitions,
    class_embeddings: pd.DataFrame,
    source: str,
) -> None:
    loader = OmegaConfigLoader(str(CONF.parent), base_env="base", default_run_env="base")
    loader["globals"] = {"data": str(tmp_path), "seed": 0}
    loader.config_patterns["catalog"] = ["catalog_feature_engineering.yml"]
    loader.config_patterns["parameters"] = ["parameters_feature_engineering.yml"]
    catalog = DataCatalog.from_config(loader["catalog"])
    options = FeatureOptions(**{**loader["parameters"]["feature_engineering"], "scores": source})
    for name, content in {
        "detections": detections,
        "class_scores": class_scores,
        "class_embeddings": class_embeddings,
        "params:feature_engineering": options,
        **NOT_RUN,
    }.items():
        catalog[name] = MemoryDataset(content, copy_mode="assign")

    SequentialRunner().run(create_pipeline(), catalog)

    features, points = catalog.load("video_features"), catalog.load("video_points")
    assert list(features.index) == ["pets/dark", "pets/one"]
    assert set(features.columns) == {"beagle", "labrador" if source == "class_scores" else "sofa"}
    assert points.index.equals(features.index)
    assert set(points.dtypes) == {np.dtype(np.float32)}


def test_detections_are_not_read_if_class_scores_are_used(
    class_scores: Partitions, class_embeddings: pd.DataFrame
) -> None:
    def refuse(key: str) -> pd.DataFrame:
        raise AssertionError(key)

    unreadable = Partitions({"pets/one": PartitionState()}, refuse)

    inputs = (unreadable, class_scores, class_embeddings, *NOT_RUN.values())

    scores, space = fit_object_space(*inputs, FeatureOptions(scores="class_scores"))

    assert list(scores.video_ids) == ["pets/one"]
    assert space.class_names_.equals(class_embeddings.index)
    with pytest.raises(AssertionError):
        fit_object_space(*inputs, FeatureOptions(scores="detections"))


def test_the_finetuned_network_is_used_if_it_is_configured(
    detections: Partitions, class_scores: Partitions, class_embeddings: pd.DataFrame
) -> None:
    own = class_embeddings.loc[["beagle", "sofa"]]
    finetuned = {**NOT_RUN, **dict(zip(list(NOT_RUN)[:3], (detections, scores_of(sofa=0.9), own), strict=True))}

    scores, space = fit_object_space(
        Partitions(), class_scores, class_embeddings, *finetuned.values(), FeatureOptions(detector="finetuned")
    )

    assert list(space.class_names_) == list(scores.class_names) == ["beagle", "sofa"]
    assert scores.frames.toarray().tolist() == [[0, 0], [0, 0.9]]


@pytest.mark.parametrize("source", ["class_scores", "detections"])
def test_the_segmenter_is_used_if_it_is_configured(
    class_scores: Partitions, class_embeddings: pd.DataFrame, source: str
) -> None:
    objects = pd.DataFrame(
        {
            "frame": [1, 1, 2],
            "class_name": ["sofa", "sofa", "beagle"],
            "confidence": [0.9, 0.5, 0.4],
            "area_pct": [70.0, 50.0, 10.0],
        }
    )
    per_class = pd.DataFrame({"class_name": ["sofa", "beagle"], "probability": [0.45, 0.2], "area_pct": [50.0, 5.0]})
    tables = {
        "segmentations": Partitions.from_values({"pets/one": objects}),
        "segmentation_scores": Partitions.from_values({"pets/one": per_class}),
        "segmented_class_embeddings": class_embeddings,
    }

    scores, _ = fit_object_space(
        Partitions(),
        class_scores,
        class_embeddings,
        *{**NOT_RUN, **tables}.values(),
        FeatureOptions(detector="segmenter", importance="area", scores=source),
    )

    sofa, beagle = (class_embeddings.index.get_loc(name) for name in ("sofa", "beagle"))
    areas = scores.area.toarray()[0]
    assert areas[sofa] / areas[beagle] == pytest.approx(10), "the area of a class in a frame is at most 100 %"
    assert scores.frames.toarray()[0][[sofa, beagle]].tolist() == ([0.45, 0.2] if source == "class_scores" else [1, 1])
    assert measure_importance(scores, "area", np.ones(6)).toarray()[0][sofa] == pytest.approx(10 / 11)


@pytest.mark.parametrize(("detector", "pipeline"), [("finetuned", "transfer_learning"), ("segmenter", "segmentation")])
def test_the_error_for_a_detector_that_has_not_run_names_the_pipeline_to_run(
    class_scores: Partitions, class_embeddings: pd.DataFrame, detector: str, pipeline: str
) -> None:
    with pytest.raises(
        ValueError, match=f"feature_engineering.detector={detector} has not run: .*--pipelines={pipeline}"
    ):
        fit_object_space(
            Partitions(),
            class_scores,
            class_embeddings,
            *NOT_RUN.values(),
            FeatureOptions(detector=detector),
        )


def test_the_area_formula_needs_the_segmenter() -> None:
    with pytest.raises(
        ValidationError, match=r"importance=area needs areas: set feature_engineering\.detector=segmenter"
    ):
        FeatureOptions(importance="area")


def test_the_error_for_a_misspelt_option_names_it() -> None:
    with pytest.raises(ValidationError, match="helinger"):
        FeatureOptions(helinger=False)
