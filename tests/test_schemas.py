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
    },
    "FrameManifest": RECORD,
    "DetectionManifest": RECORD,
    "Detections": {"frame": 1, "class_name": "tabby", "confidence": np.float32(0.5)},
    "ClassProbabilities": {"class_name": "tabby", "probability": 0.5},
    "ClassEvidence": {"video_id": "pets/cat", "class_name": "tabby", "probability": 0.5},
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
}
BREACHES = [
    ("VideoManifest", {"video_id": "no-category"}),
    ("VideoManifest", {"video_id": "../pets/cat"}),
    ("VideoManifest", {"duration_s": -1.0}),
    ("VideoManifest", {"width": 0}),
    ("VideoManifest", {"status": None}),
    ("FrameManifest", {"frames": -1}),
    ("DetectionManifest", {"frames": None}),
    ("Detections", {"frame": 0}),
    ("Detections", {"confidence": np.float32(1.5)}),
    ("Detections", {"confidence": np.float32(np.nan)}),
    ("Detections", {"class_name": None}),
    ("ClassProbabilities", {"probability": -0.1}),
    ("ClassEvidence", {"probability": 1.1}),
    ("CategoryPredictions", {"predicted_category": None}),
    ("CategoryPredictions", {"fold": 0}),
    ("Recommendations", {"rank": 0}),
    ("Recommendations", {"similarity": 1.5}),
]


def table_of(name, **changes):
    return pd.DataFrame([{**ROWS[name], **changes}])


def validate(name, table):
    return getattr(schemas, name).validate(table)


@pytest.mark.parametrize("name", ROWS)
def test_table_as_it_should_be_passes_unchanged(name):
    table = table_of(name)

    pd.testing.assert_frame_equal(validate(name, table), table, check_dtype=False)


@pytest.mark.parametrize(("name", "change"), BREACHES, ids=str)
def test_impossible_value_is_refused_and_its_column_named(name, change):
    with pytest.raises((SchemaError, SchemaErrors), match=next(iter(change))):
        validate(name, table_of(name, **change))


@pytest.mark.parametrize("name", ROWS)
def test_missing_and_unknown_columns_are_refused(name):
    for column in ROWS[name]:
        with pytest.raises((SchemaError, SchemaErrors), match=column):
            validate(name, table_of(name).drop(columns=column))
    with pytest.raises((SchemaError, SchemaErrors), match="surprise"):
        validate(name, table_of(name, surprise=1))


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"ClassEvidence"}))
def test_same_row_twice_is_refused(name):
    with pytest.raises((SchemaError, SchemaErrors), match=r"duplicate|unique"):
        validate(name, pd.concat([table_of(name)] * 2, ignore_index=True))


@pytest.mark.parametrize("name", ROWS)
def test_empty_table_passes(name):
    assert validate(name, table_of(name).iloc[:0]).empty


def test_properties_of_a_file_that_is_no_video_may_be_unknown():
    unknown = dict.fromkeys(["category", "duration_s", "fps", "width", "height", "sha256"])

    checked = schemas.VideoManifest.validate(
        table_of("VideoManifest", status="unreadable", error="no video", **unknown)
    )

    assert checked.loc[0, list(unknown)].isna().all()


def test_detections_keep_the_types_that_the_task_names():
    checked = schemas.Detections.validate(table_of("Detections"))

    assert checked.dtypes.astype(str).to_dict() == {"frame": "int64", "class_name": "str", "confidence": "float32"}
    with pytest.raises((SchemaError, SchemaErrors), match="confidence"):
        schemas.Detections.validate(checked.astype({"confidence": "float64"}))


@pytest.mark.parametrize("importance", [-0.1, float("inf"), float("nan")])
def test_importance_must_be_finite_and_not_negative(importance):
    index = pd.Index(["pets/cat"], name="video_id")

    with pytest.raises((SchemaError, SchemaErrors), match="importances"):
        schemas.VideoFeatures.validate(pd.DataFrame({"tabby": [importance]}, index=index))


def test_features_know_their_videos_by_index():
    with pytest.raises((SchemaError, SchemaErrors), match="video_id"):
        schemas.VideoFeatures.validate(pd.DataFrame({"tabby": [0.5]}))
