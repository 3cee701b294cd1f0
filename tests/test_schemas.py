import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError, SchemaErrors

from video_recommender import schemas

RECORD = {"video_id": "pets/cat", "status": "ok", "error": "", "frames": 3, "fingerprint": "1"}
ROWS = {
    "VideoManifest": {
        "video_id": "pets/cat",
        "category": "pets",
        "status": "ok",
        "error": "",
        "duration_s": 5.0,
        "fps": 25.0,
        "width": 320,
        "height": 240,
        "sha256": "0" * 64,
        "source": "/videos/cat.webm",
        "title": "cat",
        "group": "cat",
        "photos": "",
        "uploader": "Ana",
        "upload_date": pd.Timestamp("2024-05-31"),
        "licence": "CC BY",
        "webpage_url": "https://videos.example/cat",
        "view_count": 42,
        "tags": "cats,pets",
        "thumbnail": "https://videos.example/cat.jpg",
    },
    "DownloadReport": {
        "category": "pets",
        "target": 100,
        "usable": 87,
        "result": "sources exhausted",
        "not_usable": "3 filtered",
    },
    "FrameManifest": RECORD | {"shots": 2, "shot_numbers": "1,1,2", "times_s": "0.5,1.5,2.5"},
    "FrameHashes": {"frame": 1} | {f"zoom_{zoom}": np.uint64(2**63 + zoom) for zoom in (100, 95, 90, 85, 80)},
    "NearDuplicates": {"video_id": "pets/copy", "repeats": "pets/cat", "matched_share": 0.9, "offset_s": -1.5},
    "Corpus": {
        "video_id": "pets/copy",
        "category": "pets",
        "group": "cat",
        "title": "cat",
        "repeats": "pets/cat",
        "is_used": False,
    },
    "DetectionManifest": RECORD,
    "Detections": {"frame": 1, "class_name": "tabby", "confidence": np.float32(0.5)},
    "ClassScores": {"class_name": "tabby", "probability": 0.5},
    "CategoryPredictions": {
        "video_id": "pets/cat",
        "category": "pets",
        "predicted_category": "pets",
        "probability": 0.9,
        "fold": 1,
    },
    "Recommendations": {
        "video_id": "pets/cat",
        "rank": 1,
        "recommended_video_id": "pets/dog",
        "similarity": 0.5,
        "shared_objects": "tabby",
    },
    "RecommendationReport": {
        "system": "object_space",
        "candidates": "other_groups",
        "neighbours": 10,
        "videos": 80,
        "precision": 0.9,
        "ndcg": 0.95,
        "map": 0.8,
        "intra_list_diversity": 0.4,
        "catalogue_coverage": 0.7,
    },
    "CategoryReport": {"category": "pets", "precision": 0.9, "recall": 0.8, "f1": 0.85, "videos": 20},
    "MeanEmbedding": {"value": np.float32(-0.5)},
}
CAN_REPEAT = {"RecommendationReport", "MeanEmbedding"}
INDEXED_BY_VIDEO = ["VideoFeatures", "VideoPoints"]
INVALID_VALUES = [
    ("VideoManifest", {"video_id": "no-category"}),
    ("VideoManifest", {"video_id": "../pets/cat"}),
    ("VideoManifest", {"duration_s": -1.0}),
    ("VideoManifest", {"width": 0}),
    ("VideoManifest", {"status": None}),
    ("VideoManifest", {"view_count": -1}),
    ("DownloadReport", {"result": "gave up"}),
    ("DownloadReport", {"usable": -1}),
    ("FrameManifest", {"frames": -1}),
    ("FrameManifest", {"shots": 0}),
    ("FrameManifest", {"shot_numbers": None}),
    ("FrameHashes", {"frame": 0}),
    ("FrameHashes", {"zoom_80": None}),
    ("NearDuplicates", {"repeats": None}),
    ("NearDuplicates", {"matched_share": 1.1}),
    ("Corpus", {"group": None}),
    ("DetectionManifest", {"frames": None}),
    ("Detections", {"frame": 0}),
    ("Detections", {"confidence": np.float32(1.5)}),
    ("Detections", {"confidence": np.float32(np.nan)}),
    ("Detections", {"class_name": None}),
    ("ClassScores", {"probability": -0.1}),
    ("CategoryPredictions", {"predicted_category": None}),
    ("CategoryPredictions", {"fold": 0}),
    ("Recommendations", {"rank": 0}),
    ("Recommendations", {"similarity": 1.5}),
    ("RecommendationReport", {"system": "unknown"}),
    ("RecommendationReport", {"candidates": "none"}),
    ("RecommendationReport", {"neighbours": 0}),
    ("RecommendationReport", {"videos": -1}),
    ("RecommendationReport", {"precision": 1.1}),
    ("RecommendationReport", {"ndcg": 1.1}),
    ("RecommendationReport", {"map": -0.1}),
    ("RecommendationReport", {"intra_list_diversity": 2.1}),
    ("RecommendationReport", {"catalogue_coverage": 1.1}),
    ("CategoryReport", {"category": None}),
    ("CategoryReport", {"precision": 1.1}),
    ("CategoryReport", {"recall": -0.1}),
    ("CategoryReport", {"f1": 1.1}),
    ("CategoryReport", {"videos": 0}),
    ("MeanEmbedding", {"value": None}),
]


def table_of(name, **changes):
    return pd.DataFrame([{**ROWS[name], **changes}])


def validate(name, table):
    return getattr(schemas, name).validate(table)


@pytest.mark.parametrize("name", ROWS)
def test_a_valid_table_passes_unchanged(name):
    table = table_of(name)

    pd.testing.assert_frame_equal(validate(name, table).astype(table.dtypes), table, check_dtype=False)


@pytest.mark.parametrize(("name", "change"), INVALID_VALUES, ids=str)
def test_an_invalid_value_is_rejected_with_the_name_of_its_column(name, change):
    with pytest.raises((SchemaError, SchemaErrors), match=next(iter(change))):
        validate(name, table_of(name, **change))


@pytest.mark.parametrize("name", ROWS)
def test_missing_and_unknown_columns_are_rejected(name):
    for column in ROWS[name]:
        with pytest.raises((SchemaError, SchemaErrors), match=column):
            validate(name, table_of(name).drop(columns=column))
    with pytest.raises((SchemaError, SchemaErrors), match="unknown_column"):
        validate(name, table_of(name, unknown_column=1))


@pytest.mark.parametrize("name", sorted(set(ROWS) - CAN_REPEAT))
def test_a_repeated_row_is_rejected(name):
    with pytest.raises((SchemaError, SchemaErrors), match=r"duplicate|unique"):
        validate(name, pd.concat([table_of(name)] * 2, ignore_index=True))


@pytest.mark.parametrize("name", ROWS)
def test_an_empty_table_passes(name):
    assert validate(name, table_of(name).iloc[:0]).empty


def test_properties_of_an_unreadable_file_can_be_missing():
    file = ["category", "duration_s", "fps", "width", "height", "sha256"]
    unknown = dict.fromkeys([*file, "uploader", "upload_date", "view_count", "tags"])

    checked = schemas.VideoManifest.validate(
        table_of("VideoManifest", status="unreadable", error="not a video", **unknown)
    )

    assert checked.loc[0, list(unknown)].isna().all()


def test_detections_have_the_required_types():
    checked = schemas.Detections.validate(table_of("Detections"))

    assert checked.dtypes.astype(str).to_dict() == {"frame": "int64", "class_name": "str", "confidence": "float32"}
    with pytest.raises((SchemaError, SchemaErrors), match="confidence"):
        schemas.Detections.validate(checked.astype({"confidence": "float64"}))


@pytest.mark.parametrize("importance", [-0.1, float("inf"), float("nan")])
def test_importance_must_be_finite_and_not_negative(importance):
    index = pd.Index(["pets/cat"], name="video_id")

    with pytest.raises((SchemaError, SchemaErrors), match="importances"):
        schemas.VideoFeatures.validate(pd.DataFrame({"tabby": [importance]}, index=index))


@pytest.mark.parametrize("name", INDEXED_BY_VIDEO)
def test_a_wide_table_has_a_unique_index_of_videos(name):
    table = pd.DataFrame({"tabby": [1, 0]}, index=pd.Index(["pets/cat", "pets/dog"], name="video_id"))

    pd.testing.assert_frame_equal(validate(name, table), table)
    with pytest.raises((SchemaError, SchemaErrors), match="video_id"):
        validate(name, table.reset_index(drop=True))
    with pytest.raises((SchemaError, SchemaErrors), match=r"duplicate|unique"):
        validate(name, table.rename(index={"pets/dog": "pets/cat"}))


@pytest.mark.parametrize("name", INDEXED_BY_VIDEO)
def test_a_wide_table_can_be_empty(name):
    assert validate(name, pd.DataFrame(index=pd.Index([], name="video_id", dtype="str"))).empty


def test_missing_metrics_are_empty_in_a_report():
    missing = dict.fromkeys(["precision", "ndcg", "map", "intra_list_diversity", "catalogue_coverage"])

    assert validate("RecommendationReport", table_of("RecommendationReport", **missing)).isna().sum(axis=1)[0] == 5
    assert (
        validate("CategoryReport", table_of("CategoryReport", precision=None, recall=None, f1=None))
        .isna()
        .any(axis=None)
    )
