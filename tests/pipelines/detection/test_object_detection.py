from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames
from video_recommender.media.video import VideoError
from video_recommender.networks.detections import (
    PROBABILITY_FLOOR,
    detect_objects_in_folder,
    name_objects,
)
from video_recommender.networks.litert_classifier import LiteRTClassifier
from video_recommender.schemas import ClassScores, Detections, MeanEmbedding


def test_a_folder_of_frames_becomes_a_row_per_frame(folder_of_photos: Path, classifier: LiteRTClassifier) -> None:
    detections = detect_objects_in_folder(FrameFolder(folder_of_photos), classifier)

    assert detections.columns.tolist() == ["frame", "class_name", "confidence"]
    assert detections["frame"].tolist() == [1, 2, 3]
    assert detections["frame"].dtype == np.int64
    assert detections["confidence"].dtype == np.float32
    assert detections["class_name"].iloc[0] in {"tabby cat", "tiger cat", "Egyptian cat"}
    assert detections["class_name"].iloc[1:].tolist() == ["espresso", "missile"]


def test_tables_fulfil_their_schemas(photos: Frames, classifier: LiteRTClassifier) -> None:
    named = name_objects(photos, classifier)

    pd.testing.assert_frame_equal(Detections.validate(named.detections), named.detections)
    pd.testing.assert_frame_equal(ClassScores.validate(named.class_scores), named.class_scores)
    pd.testing.assert_frame_equal(MeanEmbedding.validate(named.embedding), named.embedding)


def test_confidence_is_the_highest_probability_of_the_frame(photos: Frames, classifier: LiteRTClassifier) -> None:
    probabilities = classifier.probabilities(photos)

    detections = name_objects(photos, classifier).detections

    np.testing.assert_array_equal(detections["confidence"], probabilities.max(axis=1))


def test_class_scores_are_means_over_the_frames(photos: Frames, classifier: LiteRTClassifier) -> None:
    means = classifier.probabilities(photos).mean(axis=0, dtype=np.float64)

    table = name_objects(photos, classifier).class_scores

    assert table["probability"].is_monotonic_decreasing
    assert table["probability"].min() >= PROBABILITY_FLOOR
    assert len(table) == (means >= PROBABILITY_FLOOR).sum()
    expected = dict(zip(classifier.class_names, means, strict=True))
    assert dict(table.itertuples(index=False)) == pytest.approx({name: expected[name] for name in table["class_name"]})


def test_saved_and_unsaved_frames_give_the_same(folder_of_photos: Path, classifier: LiteRTClassifier) -> None:
    folder = FrameFolder(folder_of_photos)

    saved, unsaved = name_objects(folder, classifier), name_objects(folder.read(), classifier)

    assert saved.detections.equals(unsaved.detections)
    assert saved.class_scores.equals(unsaved.class_scores)


def test_a_damaged_frame_is_named(folder_of_photos: Path, classifier: LiteRTClassifier) -> None:
    (folder_of_photos / "2.jpg").write_bytes(b"not a picture")

    with pytest.raises(VideoError, match=r"2\.jpg is not a readable picture") as raised:
        name_objects(FrameFolder(folder_of_photos), classifier)

    assert raised.value.status == "damaged"


@pytest.mark.parametrize("of", [FrameFolder, lambda _path: EncodedFrames(())])
def test_a_video_without_frames_is_told(of, tmp_path: Path, classifier: LiteRTClassifier) -> None:
    with pytest.raises(VideoError, match="holds no frames") as raised:
        name_objects(of(tmp_path), classifier)

    assert raised.value.status == "damaged"
