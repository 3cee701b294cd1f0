from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from video_recommender.media.frames import EncodedFrames, FrameFolder, Frames
from video_recommender.media.video import VideoError
from video_recommender.networks.detections import (
    PROBABILITY_FLOOR,
    classify_frames,
    mean_absolute_difference,
    predict_changed_frames,
)
from video_recommender.networks.frame_classifier import FramePredictions, LiteRTClassifier
from video_recommender.schemas import ClassScores, Detections, MeanEmbedding


def test_each_frame_of_a_folder_has_a_row(folder_of_photos: Path, classifier: LiteRTClassifier) -> None:
    detections = classify_frames(FrameFolder(folder_of_photos), classifier).detections

    assert detections.columns.tolist() == ["frame", "class_name", "confidence"]
    assert detections["frame"].tolist() == [1, 2, 3]
    assert detections["frame"].dtype == np.int64
    assert detections["confidence"].dtype == np.float32
    assert detections["class_name"].iloc[0] in {"tabby cat", "tiger cat", "Egyptian cat"}
    assert detections["class_name"].iloc[1:].tolist() == ["espresso", "missile"]


def test_tables_match_their_schemas(photos: Frames, classifier: LiteRTClassifier) -> None:
    found = classify_frames(photos, classifier)

    pd.testing.assert_frame_equal(Detections.validate(found.detections), found.detections)
    pd.testing.assert_frame_equal(ClassScores.validate(found.class_scores), found.class_scores)
    pd.testing.assert_frame_equal(MeanEmbedding.validate(found.embedding), found.embedding)


def test_confidence_is_the_highest_probability_of_the_frame(photos: Frames, classifier: LiteRTClassifier) -> None:
    probabilities = classifier.predict(photos).probabilities

    detections = classify_frames(photos, classifier).detections

    np.testing.assert_array_equal(detections["confidence"], probabilities.max(axis=1))


def test_class_scores_are_means_over_the_frames(photos: Frames, classifier: LiteRTClassifier) -> None:
    means = classifier.predict(photos).probabilities.mean(axis=0, dtype=np.float64)

    table = classify_frames(photos, classifier).class_scores

    assert table["probability"].is_monotonic_decreasing
    assert table["probability"].min() >= PROBABILITY_FLOOR
    assert len(table) == (means >= PROBABILITY_FLOOR).sum()
    expected = dict(zip(classifier.class_names, means, strict=True))
    assert dict(table.itertuples(index=False)) == pytest.approx({name: expected[name] for name in table["class_name"]})


def test_saved_and_unsaved_frames_give_the_same_results(folder_of_photos: Path, classifier: LiteRTClassifier) -> None:
    folder = FrameFolder(folder_of_photos)

    encoded = EncodedFrames(tuple(file.read_bytes() for file in folder.files))
    saved, unsaved = classify_frames(folder, classifier), classify_frames(encoded, classifier)

    assert saved.detections.equals(unsaved.detections)
    assert saved.class_scores.equals(unsaved.class_scores)


def test_a_damaged_frame_is_reported_by_name(folder_of_photos: Path, classifier: LiteRTClassifier) -> None:
    (folder_of_photos / "2.jpg").write_bytes(b"not an image")

    with pytest.raises(VideoError, match=r"2\.jpg is not a readable") as raised:
        classify_frames(FrameFolder(folder_of_photos), classifier)

    assert raised.value.status == "damaged"


@pytest.mark.parametrize("make_frames", [FrameFolder, lambda _path: EncodedFrames(())])
def test_a_video_without_frames_is_damaged(make_frames, tmp_path: Path, classifier: LiteRTClassifier) -> None:
    with pytest.raises(VideoError, match="contains no frames") as raised:
        classify_frames(make_frames(tmp_path), classifier)

    assert raised.value.status == "damaged"


class GreyLevelClassifier:
    """Predicts the mean grey level of each frame, and records the classified frames."""

    class_names = ("grey",)
    digest = "grey"

    def __init__(self) -> None:
        self.classified: list[float] = []

    def predict(self, frames: Frames) -> FramePredictions:
        levels = frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, np.newaxis]
        self.classified.extend(levels[:, 0].tolist())
        return FramePredictions(levels, levels)


def grey(*levels: int) -> Frames:
    return np.stack([np.full((8, 8, 3), level, np.uint8) for level in levels])


def predicted_levels(batches: list[Frames], classifier: GreyLevelClassifier, below: float) -> list[float]:
    predictions = list(predict_changed_frames(batches, classifier, below))
    assert [len(part.probabilities) for part in predictions] == [len(batch) for batch in batches]
    assert all(np.array_equal(part.probabilities, part.embeddings) for part in predictions)
    return np.concatenate([part.probabilities for part in predictions])[:, 0].tolist()


def test_a_frame_below_the_threshold_reuses_the_last_prediction() -> None:
    classifier = GreyLevelClassifier()

    assert predicted_levels([grey(10, 11, 50, 51, 10)], classifier, below=2) == [10, 10, 50, 50, 10]
    assert classifier.classified == [10, 50, 10]


def test_slow_changes_accumulate_until_a_frame_is_classified() -> None:
    classifier = GreyLevelClassifier()

    predicted_levels([grey(*range(10, 20))], classifier, below=3)

    assert classifier.classified == [10, 13, 16, 19]


@pytest.mark.parametrize("sizes", [(6,), (1, 5), (3, 3), (2, 2, 2)])
def test_results_do_not_depend_on_the_batch_boundaries(sizes: tuple[int, ...]) -> None:
    batches = np.split(grey(10, 11, 11, 12, 40, 40), np.cumsum(sizes)[:-1])

    assert predicted_levels(batches, GreyLevelClassifier(), below=2) == [10, 10, 10, 12, 40, 40]


def test_a_frame_at_the_threshold_is_classified() -> None:
    classifier = GreyLevelClassifier()

    predicted_levels([grey(10, 12)], classifier, below=2)

    assert classifier.classified == [10, 12]


def test_the_difference_is_the_mean_over_pixels_and_colours() -> None:
    frame, other = grey(10, 10)
    other[0, 0] = (10, 10, 202)

    assert mean_absolute_difference(frame, other) == pytest.approx(1)


def test_reuse_does_not_change_the_results_of_a_still_image(photos: Frames, classifier: LiteRTClassifier) -> None:
    frames = np.concatenate([np.repeat(photos[:1], 40, axis=0), photos[1:2]])

    every, reused = classify_frames(frames, classifier), classify_frames(frames, classifier, reuse_below=1)

    assert reused.detections.equals(every.detections)
    assert reused.class_scores.equals(every.class_scores)
    assert reused.embedding.equals(every.embedding)
