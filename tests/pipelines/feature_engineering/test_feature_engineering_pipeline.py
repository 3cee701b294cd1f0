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

from video_recommender.incremental.partitions import PartitionRecord, Partitions, StoredPartition
from video_recommender.pipelines.feature_engineering import create_pipeline
from video_recommender.pipelines.feature_engineering.nodes import gather_object_scores
from video_recommender.similarity.importance import measure_importance
from video_recommender.similarity.object_space import FeatureOptions

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


NOT_RUN = {
    "finetuned_detections": Partitions(),
    "finetuned_class_score_table": None,
    "finetuned_class_embeddings": None,
    "segmentations": Partitions(),
    "segmentation_scores": Partitions(),
    "segmented_class_embeddings": None,
}
"""What the other detectors have made: nothing."""


@pytest.fixture
def class_score_table() -> pd.DataFrame:
    return pd.DataFrame({"video_id": ["pets/one"] * 2, "class_name": ["beagle", "labrador"], "probability": [0.5, 0.3]})


@pytest.mark.parametrize("evidence", ["probabilities", "detections"])
def test_every_usable_video_becomes_a_point(
    tmp_path: Path,
    detections: Partitions,
    class_score_table: pd.DataFrame,
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
        "class_score_table": class_score_table,
        "class_embeddings": class_embeddings,
        "params:features": options,
        **NOT_RUN,
    }.items():
        catalog[name] = MemoryDataset(content, copy_mode="assign")

    SequentialRunner().run(create_pipeline(), catalog)

    features, points = catalog.load("video_features"), catalog.load("video_points")
    assert list(features.index) == ["pets/dark", "pets/one"]
    assert set(features.columns) == {"beagle", "labrador" if evidence == "probabilities" else "sofa"}
    assert points.index.equals(features.index)
    assert set(points.dtypes) == {np.dtype(np.float32)}


def test_detections_stay_unread_where_probabilities_are_the_evidence(
    class_score_table: pd.DataFrame, class_embeddings: pd.DataFrame
) -> None:
    def refuse() -> pd.DataFrame:
        raise AssertionError

    unreadable = Partitions({"pets/one": StoredPartition(PartitionRecord(""), refuse)})

    seen = (unreadable, class_score_table, class_embeddings, *NOT_RUN.values())

    evidence, classes = gather_object_scores(*seen, FeatureOptions(evidence="probabilities"))

    assert list(evidence.video_ids) == ["pets/one"]
    assert classes is class_embeddings
    with pytest.raises(AssertionError):
        gather_object_scores(*seen, FeatureOptions(evidence="detections"))


def test_the_network_with_a_new_head_is_heard_if_it_is_chosen(
    detections: Partitions, class_score_table: pd.DataFrame, class_embeddings: pd.DataFrame
) -> None:
    own = class_embeddings.loc[["beagle", "sofa"]]
    seen = pd.DataFrame({"video_id": ["pets/one"], "class_name": ["sofa"], "probability": [0.9]})
    chosen = {**NOT_RUN, **dict(zip(list(NOT_RUN)[:3], (detections, seen, own), strict=True))}

    evidence, classes = gather_object_scores(
        Partitions(), class_score_table, class_embeddings, *chosen.values(), FeatureOptions(detector="finetuned")
    )

    assert classes is own
    assert list(evidence.class_names) == ["beagle", "sofa"]
    assert evidence.frames.toarray().tolist() == [[0, 0], [0, 0.9]]


@pytest.mark.parametrize("evidence", ["probabilities", "detections"])
def test_the_segmenter_is_heard_if_it_is_chosen(
    class_score_table: pd.DataFrame, class_embeddings: pd.DataFrame, evidence: str
) -> None:
    objects = pd.DataFrame(
        {
            "frame": [1, 1, 2],
            "class_name": ["sofa", "sofa", "beagle"],
            "confidence": [0.9, 0.5, 0.4],
            "area_pct": [70.0, 50.0, 10.0],
        }
    )
    seen = pd.DataFrame({"class_name": ["sofa", "beagle"], "probability": [0.45, 0.2], "area_pct": [50.0, 5.0]})
    record = PartitionRecord("f")
    tables = {
        "segmentations": Partitions({"pets/one": StoredPartition(record, lambda: objects)}),
        "segmentation_scores": Partitions({"pets/one": StoredPartition(record, lambda: seen)}),
        "segmented_class_embeddings": class_embeddings,
    }

    heard, _ = gather_object_scores(
        Partitions(),
        class_score_table,
        class_embeddings,
        *{**NOT_RUN, **tables}.values(),
        FeatureOptions(detector="segmenter", importance="area", evidence=evidence),
    )

    sofa, beagle = (class_embeddings.index.get_loc(name) for name in ("sofa", "beagle"))
    areas = heard.area.toarray()[0]
    assert areas[sofa] / areas[beagle] == pytest.approx(10), "areas of one class in one frame are at most all of it"
    assert heard.frames.toarray()[0][[sofa, beagle]].tolist() == (
        [0.45, 0.2] if evidence == "probabilities" else [1, 1]
    )
    assert measure_importance(heard, "area", np.ones(6)).toarray()[0][sofa] == pytest.approx(10 / 11)


@pytest.mark.parametrize(("detector", "pipeline"), [("finetuned", "transfer_learning"), ("segmenter", "segmentation")])
def test_a_detector_that_has_not_run_is_told_with_the_pipeline_to_run(
    class_score_table: pd.DataFrame, class_embeddings: pd.DataFrame, detector: str, pipeline: str
) -> None:
    with pytest.raises(ValueError, match=f"features.detector={detector} has seen no video .*--pipelines={pipeline}"):
        gather_object_scores(
            Partitions(),
            class_score_table,
            class_embeddings,
            *NOT_RUN.values(),
            FeatureOptions(detector=detector),
        )


def test_areas_are_asked_only_of_who_tells_them() -> None:
    with pytest.raises(ValidationError, match=r"importance=area needs features\.detector=segmenter"):
        FeatureOptions(importance="area")


def test_a_misspelt_option_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="helinger"):
        FeatureOptions(helinger=False)
