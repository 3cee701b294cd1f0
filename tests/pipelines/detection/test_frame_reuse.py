import numpy as np
import pytest

from video_recommender.media.frames import Frames
from video_recommender.networks.detections import name_objects
from video_recommender.networks.frame_classifier import FrameDescriptions
from video_recommender.networks.frame_reuse import describe_changed, mean_difference
from video_recommender.networks.litert_classifier import LiteRTClassifier


class LightMeter:
    """Describes a frame by how light it is, and remembers what it was shown."""

    class_names = ("light",)
    fingerprint = "light"

    def __init__(self) -> None:
        self.shown: list[float] = []

    def describe(self, frames: Frames) -> FrameDescriptions:
        light = frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, np.newaxis]
        self.shown.extend(light[:, 0].tolist())
        return FrameDescriptions(light, light)


def grey(*levels: int) -> Frames:
    return np.stack([np.full((8, 8, 3), level, np.uint8) for level in levels])


def seen(batches: list[Frames], meter: LightMeter, below: float) -> list[float]:
    described = list(describe_changed(batches, meter, below))
    assert [len(part.probabilities) for part in described] == [len(batch) for batch in batches]
    assert all(np.array_equal(part.probabilities, part.embeddings) for part in described)
    return np.concatenate([part.probabilities for part in described])[:, 0].tolist()


def test_a_frame_that_hardly_differs_takes_over_what_was_seen_in_the_one_before() -> None:
    meter = LightMeter()

    assert seen([grey(10, 11, 50, 51, 10)], meter, below=2) == [10, 10, 50, 50, 10]
    assert meter.shown == [10, 50, 10]


def test_slow_change_adds_up_until_the_network_reads_again() -> None:
    meter = LightMeter()

    seen([grey(*range(10, 20))], meter, below=3)

    assert meter.shown == [10, 13, 16, 19]


@pytest.mark.parametrize("sizes", [(6,), (1, 5), (3, 3), (2, 2, 2)])
def test_it_does_not_matter_where_a_batch_ends(sizes: tuple[int, ...]) -> None:
    batches = np.split(grey(10, 11, 11, 12, 40, 40), np.cumsum(sizes)[:-1])

    assert seen(batches, LightMeter(), below=2) == [10, 10, 10, 12, 40, 40]


def test_a_frame_that_differs_by_just_the_threshold_is_read() -> None:
    meter = LightMeter()

    seen([grey(10, 12)], meter, below=2)

    assert meter.shown == [10, 12]


def test_the_difference_is_the_mean_over_pixels_and_colours() -> None:
    frame, other = grey(10, 10)
    other[0, 0] = (10, 10, 202)

    assert mean_difference(frame, other) == pytest.approx(1)


def test_a_still_picture_is_named_once_and_counts_in_every_frame(photos: Frames, classifier: LiteRTClassifier) -> None:
    film = np.concatenate([np.repeat(photos[:1], 40, axis=0), photos[1:2]])

    every, reused = name_objects(film, classifier), name_objects(film, classifier, reuse_below=1)

    assert reused.detections.equals(every.detections)
    assert reused.class_scores.equals(every.class_scores)
    assert reused.embedding.equals(every.embedding)
