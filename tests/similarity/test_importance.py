"""Object scores, and the importance of each object in each video."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video_recommender.similarity.importance import (
    ObjectScores,
    inverse_document_frequency,
    measure_importance,
    scores_from_class_scores,
    scores_from_detections,
)

CLASS_NAMES = pd.Index(["beagle", "labrador", "sofa", "table lamp", "banana"])
FORMULAS = ["confidence_share", "frame_share", "tf_idf"]

named_frame = st.tuples(st.sampled_from(list(CLASS_NAMES)), st.floats(0.0625, 1, width=32))
one_video = st.lists(named_frame, min_size=1, max_size=30)
corpus = st.lists(st.lists(named_frame, max_size=12), min_size=1, max_size=6)


def as_detections(frames: list[tuple[str, float]]) -> pd.DataFrame:
    names, confidences = [name for name, _ in frames], [confidence for _, confidence in frames]
    return pd.DataFrame(
        {
            "frame": np.arange(1, len(frames) + 1, dtype=np.int64),
            "class_name": pd.Series(names, dtype=str),
            "confidence": np.array(confidences, dtype=np.float32),
        }
    )


def scores_of(*videos: list[tuple[str, float]]) -> ObjectScores:
    names = [f"kind/{number}" for number in range(len(videos))]
    tables = (as_detections(frames).assign(video_id=name) for name, frames in zip(names, videos, strict=True))
    return scores_from_detections(tables, pd.Index(names, dtype=str), CLASS_NAMES)


def importance_of(scores: ObjectScores, formula: str) -> np.ndarray:
    return measure_importance(scores, formula, inverse_document_frequency(scores)).toarray()


@settings(max_examples=50)
@given(videos=corpus)
@pytest.mark.parametrize("formula", ["confidence_share", "frame_share"])
def test_shares_of_a_video_sum_to_one_and_are_zero_without_scores(
    formula: str, videos: list[list[tuple[str, float]]]
) -> None:
    importance = importance_of(scores_of(*videos), formula)

    assert importance.sum(axis=1) == pytest.approx([float(bool(frames)) for frames in videos])


@settings(max_examples=50)
@given(videos=corpus)
@pytest.mark.parametrize("formula", FORMULAS)
def test_exactly_the_detected_objects_have_positive_importance(
    formula: str, videos: list[list[tuple[str, float]]]
) -> None:
    importance = importance_of(scores_of(*videos), formula)

    detected = [[name in {named for named, _ in frames} for name in CLASS_NAMES] for frames in videos]
    assert (importance >= 0).all()
    assert ((importance > 0) == np.array(detected)).all()


@settings(max_examples=50)
@given(frames=one_video, random=st.randoms(use_true_random=False))
@pytest.mark.parametrize("formula", FORMULAS)
def test_the_order_of_frames_does_not_matter(formula: str, frames: list[tuple[str, float]], random) -> None:
    shuffled = random.sample(frames, len(frames))

    importance = importance_of(scores_of(frames, shuffled), formula)

    assert importance[0] == pytest.approx(importance[1])


@settings(max_examples=50)
@given(frames=one_video, another=named_frame)
@pytest.mark.parametrize("formula", FORMULAS)
def test_another_frame_of_an_object_never_lowers_its_importance(
    formula: str, frames: list[tuple[str, float]], another: tuple[str, float]
) -> None:
    scores = scores_of(frames, [*frames, another])
    # Fixed weights, because the document frequencies of the two videos differ.
    importance = measure_importance(scores, formula, np.linspace(1, 2, len(CLASS_NAMES))).toarray()

    column = CLASS_NAMES.get_loc(another[0])
    others = np.arange(len(CLASS_NAMES)) != column
    assert importance[1, column] >= importance[0, column] - 1e-12
    assert (importance[1, others] <= importance[0, others] + 1e-12).all()


def test_confidence_affects_the_confidence_share_but_not_the_frame_share() -> None:
    scores = scores_of([("beagle", 0.9), ("sofa", 0.3)])

    by_confidence = importance_of(scores, "confidence_share")[0]
    by_frames = importance_of(scores, "frame_share")[0]

    assert by_confidence[[0, 2]] == pytest.approx([0.75, 0.25])
    assert by_frames[[0, 2]] == pytest.approx([0.5, 0.5])


def test_tf_idf_gives_more_weight_to_objects_of_few_videos() -> None:
    scores = scores_of([("sofa", 0.8), ("banana", 0.8)], [("sofa", 0.8)], [("sofa", 0.8)])

    importance = importance_of(scores, "tf_idf")[0]

    sofa, banana = CLASS_NAMES.get_loc("sofa"), CLASS_NAMES.get_loc("banana")
    assert importance[sofa] == pytest.approx(0.5 * (np.log(4 / 4) + 1))
    assert importance[banana] == pytest.approx(0.5 * (np.log(4 / 2) + 1))


def test_the_confidence_share_of_class_scores_is_the_share_of_the_mean_probabilities() -> None:
    class_scores = pd.DataFrame(
        {
            "video_id": ["kind/0", "kind/0", "kind/gone"],
            "class_name": ["beagle", "labrador", "sofa"],
            "probability": [0.6, 0.2, 1.0],
        }
    )

    scores = scores_from_class_scores([class_scores], pd.Index(["kind/0", "kind/dark"]), CLASS_NAMES)

    assert importance_of(scores, "confidence_share") == pytest.approx(
        np.array([[0.75, 0.25, 0, 0, 0], [0, 0, 0, 0, 0]])
    )


def test_the_error_for_an_unknown_class_names_it() -> None:
    class_scores = pd.DataFrame({"video_id": ["kind/0"], "class_name": ["unicorn"], "probability": [1.0]})

    with pytest.raises(ValueError, match="'unicorn' is not one of the 5 classes"):
        scores_of([("unicorn", 0.5)])
    with pytest.raises(ValueError, match="'unicorn' is not one of the 5 classes"):
        scores_from_class_scores([class_scores], pd.Index(["kind/0"]), CLASS_NAMES)


def test_a_corpus_without_videos_has_no_importances() -> None:
    assert importance_of(scores_of(), "tf_idf").shape == (0, 5)


@settings(max_examples=30)
@given(videos=corpus)
def test_sparse_sums_of_many_blocks_equal_those_of_a_pivot_table(videos: list[list[tuple[str, float]]]) -> None:
    scores = scores_of(*videos)

    frames = pd.concat(
        [as_detections(rows).assign(video_id=f"kind/{number}") for number, rows in enumerate(videos)],
        ignore_index=True,
    )
    pivot = frames.pivot_table(index="video_id", columns="class_name", values="confidence", aggfunc=["size", "sum"])
    for name, sums in (("size", scores.frames), ("sum", scores.confidence)):
        expected = pivot.get(name, pd.DataFrame()).reindex(index=scores.video_ids, columns=CLASS_NAMES).fillna(0)
        np.testing.assert_allclose(sums.toarray(), expected.to_numpy(float), rtol=1e-6)


def test_categorical_and_string_columns_give_the_same_scores() -> None:
    class_scores = pd.DataFrame(
        {"video_id": ["k/1", "k/0", "k/gone"], "class_name": ["sofa", "beagle", "sofa"], "probability": [0.4, 0.3, 0.2]}
    )
    video_ids = pd.Index(["k/0", "k/1", "k/dark"])

    by_name = scores_from_class_scores([class_scores], video_ids, CLASS_NAMES)
    categorical = class_scores.astype({"video_id": "category", "class_name": "category"})
    by_category = scores_from_class_scores([categorical], video_ids, CLASS_NAMES)

    np.testing.assert_array_equal(by_category.frames.toarray(), by_name.frames.toarray())
    assert by_name.frames.toarray()[:, [0, 2]].tolist() == [[0.3, 0], [0, 0.4], [0, 0]]
