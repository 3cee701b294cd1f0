"""Time spans of objects in a video."""

import numpy as np
import pandas as pd
import pytest

from video_recommender.gallery.timeline import MAX_OBJECTS, MAX_SPANS, build_timeline


def seen(*names):
    frames = np.arange(1, len(names) + 1)
    table = pd.DataFrame({"frame": frames, "class_name": names, "confidence": np.linspace(0.5, 0.9, len(names))})
    return table[table["class_name"] != ""]


def spans(timeline, name):
    (found,) = [shown for shown in timeline.objects if shown.name == name]
    return [(span.start_s, span.end_s) for span in found.spans]


def test_consecutive_frames_form_one_span() -> None:
    timeline = build_timeline(seen("cat", "cat", "dog", "cat"), 4, 2.0, rate=2.0)

    assert spans(timeline, "cat") == [(0.0, 1.0), (1.5, 2.0)]
    assert spans(timeline, "dog") == [(1.0, 1.5)]


def test_an_object_stays_visible_until_the_next_processed_frame() -> None:
    timeline = build_timeline(seen("cat", "", "", "dog"), 6, 6.0, rate=1.0, every_nth=3)

    assert spans(timeline, "cat") == [(0.0, 3.0)]
    assert spans(timeline, "dog") == [(3.0, 6.0)]


def test_spans_follow_irregular_frame_times() -> None:
    timeline = build_timeline(seen("cat", "dog"), 2, 10.0, rate=3.0, times_s=(0.5, 4.0))

    assert spans(timeline, "cat") == [(0.5, 4.0)]
    assert spans(timeline, "dog") == [(4.0, 10.0)]


def test_the_number_of_spans_is_limited() -> None:
    timeline = build_timeline(seen(*["cat", "dog"] * 5000), 10_000, None, rate=3.0)

    assert all(len(shown.spans) <= MAX_SPANS for shown in timeline.objects)
    assert timeline.duration_s == pytest.approx(10_000 / 3)


def test_rare_objects_are_only_counted() -> None:
    timeline = build_timeline(seen(*[f"object {number}" for number in range(20)]), 20, 20.0, rate=1.0)

    assert len(timeline.objects) == MAX_OBJECTS
    assert timeline.others == 20 - MAX_OBJECTS


def test_a_video_without_objects_has_an_empty_timeline() -> None:
    assert build_timeline(seen(), 0, None, rate=3.0).objects == ()
