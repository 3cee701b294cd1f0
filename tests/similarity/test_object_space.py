"""Points in object space, and the objects that two videos share."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video_recommender.similarity.importance import ObjectScores, scores_from_class_scores
from video_recommender.similarity.object_space import FeatureOptions, ObjectSpace

amounts = st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6)


def scores_from(videos: dict[str, dict[str, float]], class_names: pd.Index) -> ObjectScores:
    rows = [(video, name, share) for video, shown in videos.items() for name, share in shown.items()]
    class_scores = pd.DataFrame(rows, columns=["video_id", "class_name", "probability"])
    return scores_from_class_scores([class_scores], pd.Index(list(videos), dtype=str), class_names)


def features_from(videos: dict[str, dict[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(videos, orient="index").fillna(0.0).astype(np.float32)
    return table.rename_axis("video_id")


def fitted(class_embeddings: pd.DataFrame, options: FeatureOptions | None = None) -> ObjectSpace:
    nothing = scores_from({}, pd.Index(class_embeddings.index))
    return ObjectSpace(options or FeatureOptions()).fit(nothing, class_embeddings)


@pytest.fixture
def space(class_embeddings: pd.DataFrame) -> ObjectSpace:
    return fitted(class_embeddings)


@settings(max_examples=50)
@given(first=amounts, second=amounts)
@pytest.mark.parametrize("hellinger", [True, False])
def test_the_dot_product_of_two_points_is_the_soft_cosine(
    class_embeddings: pd.DataFrame, hellinger: bool, first: list[float], second: list[float]
) -> None:
    features = pd.DataFrame(
        np.array([first, second], np.float32),
        index=pd.Index(["a/a", "b/b"], name="video_id"),
        columns=list(class_embeddings.index),
    )
    rows = class_embeddings.to_numpy(float)
    centred = rows - rows.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    similarity = unit @ unit.T
    x, y = features.to_numpy(float) ** (0.5 if hellinger else 1)
    length = np.sqrt((x @ similarity @ x) * (y @ similarity @ y))

    points = fitted(class_embeddings, FeatureOptions(hellinger=hellinger)).transform(features).to_numpy(float)

    # Rounding errors determine the direction of vectors close to 0.
    if length > 1e-3:
        assert points[0] @ points[1] == pytest.approx(x @ similarity @ y / length, abs=1e-3)


def test_two_dog_breeds_are_closer_than_a_dog_and_a_sofa(space: ObjectSpace) -> None:
    points = space.transform(
        features_from({"pets/beagle": {"beagle": 1}, "pets/labrador": {"labrador": 1}, "rooms/sofa": {"sofa": 1}})
    )

    similarity = points @ points.T
    assert similarity.loc["pets/beagle", "pets/labrador"] > 0.5
    assert similarity.loc["pets/beagle", "rooms/sofa"] < 0.2


def test_a_video_without_objects_is_a_zero_point(space: ObjectSpace) -> None:
    scores = scores_from({"pets/beagle": {"beagle": 1}, "pets/dark": {}}, space.class_names_)

    points = space.transform(space.importances(scores))

    assert (points.loc["pets/dark"] == 0).all()
    assert np.linalg.norm(points.loc["pets/beagle"]) == pytest.approx(1)


def test_a_corpus_without_objects_has_zero_points(space: ObjectSpace) -> None:
    points = space.transform(space.importances(scores_from({"pets/dark": {}}, space.class_names_)))

    assert points.shape == (1, 32)
    assert not points.to_numpy().any()


def test_features_have_one_column_per_object_that_occurs(space: ObjectSpace) -> None:
    scores = scores_from({"a/a": {"sofa": 0.5, "beagle": 0.25}, "b/b": {"sofa": 0.5}}, space.class_names_)

    features = space.importances(scores)

    assert list(features.columns) == ["beagle", "sofa"]
    assert features.loc["a/a"].tolist() == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize("source", ["class_scores", "detections"])
@pytest.mark.parametrize("importance", ["confidence_share", "frame_share", "tf_idf"])
def test_a_new_video_has_the_point_of_an_identical_video_of_the_corpus(
    class_embeddings: pd.DataFrame, source: str, importance: str
) -> None:
    corpus = {"pets/known": {"beagle": 0.6, "sofa": 0.4}, "rooms/other": {"sofa": 1.0}}
    corpus_scores = scores_from(corpus, pd.Index(class_embeddings.index))
    options = FeatureOptions(scores=source, importance=importance)
    space = ObjectSpace(options).fit(corpus_scores, class_embeddings)
    detections = pd.DataFrame(
        {
            "frame": np.arange(1, 6),
            "class_name": ["beagle", "sofa", "beagle", "sofa", "beagle"],
            "confidence": np.full(5, 0.5, np.float32),
        }
    )
    probabilities = pd.DataFrame({"class_name": ["sofa", "beagle"], "probability": [0.4, 0.6]})

    new = space.transform(space.importances_of_video("new/video", detections, probabilities))

    known = space.transform(space.importances(corpus_scores))
    assert new.loc["new/video"].to_numpy() == pytest.approx(known.loc["pets/known"].to_numpy(), abs=1e-6)


def test_an_object_that_is_not_in_the_corpus_has_a_point(space: ObjectSpace) -> None:
    new = space.transform(features_from({"food/lemon": {"lemon": 1}}))
    known = space.transform(features_from({"food/banana": {"banana": 1}}))

    assert float((new.to_numpy() @ known.to_numpy().T).item()) > 0.5


def test_the_error_for_a_class_unknown_to_the_network_names_it(space: ObjectSpace) -> None:
    with pytest.raises(ValueError, match="'unicorn' is not one of the 6 classes"):
        space.transform(features_from({"a/a": {"unicorn": 1}}))


def test_shared_objects_are_listed_in_descending_order(space: ObjectSpace) -> None:
    first = features_from({"a/a": {"beagle": 0.2, "sofa": 0.8}})
    second = features_from({"b/b": {"sofa": 0.7, "labrador": 0.3}})

    assert space.shared_objects(first, second) == ["sofa, beagle ~ labrador"]
    assert space.shared_objects(first, second, top=1) == ["sofa"]


def test_shared_objects_of_a_pair_do_not_depend_on_the_other_pairs(space: ObjectSpace) -> None:
    videos = features_from({"a/a": {"beagle": 0.2, "sofa": 0.8}, "b/b": {"sofa": 0.7, "labrador": 0.3}})
    first, second = [0, 1, 1] * 50, [1, 1, 0] * 50

    shared = space.shared_objects(videos.iloc[first], videos.iloc[second])

    assert shared == ["sofa, beagle ~ labrador", "sofa, labrador", "sofa, labrador ~ beagle"] * 50


def test_shared_objects_of_pairs_of_ids_equal_those_of_two_tables(space: ObjectSpace) -> None:
    videos = features_from({"a/a": {"beagle": 0.2, "sofa": 0.8}, "b/b": {"sofa": 0.7, "labrador": 0.3}})
    first, second = pd.Index(["b/b", "a/a", "b/b"]), pd.Index(["a/a", "b/b", "b/b"])

    shared = space.shared_objects_of_pairs(videos, first, second)

    assert shared == space.shared_objects(videos.loc[first], videos.loc[second])
    assert space.shared_objects_of_pairs(videos, first[:0], second[:0]) == []


def test_videos_with_negative_similarity_share_no_objects() -> None:
    classes = pd.DataFrame(np.array([[1, 0], [-1, 0], [0.5, 1], [-0.5, -1]]), ["north", "south", "east", "west"])
    space = fitted(classes, FeatureOptions(hellinger=False))
    first = features_from({"a/a": {"north": 0.6, "east": 0.4}})
    second = features_from({"b/b": {"south": 0.7, "east": 0.3}})

    assert (space.transform(first).to_numpy() @ space.transform(second).to_numpy().T).item() < 0
    assert space.shared_objects(first, second) == [""]


def test_two_tables_of_different_lengths_raise_an_error(space: ObjectSpace) -> None:
    videos = features_from({"a/a": {"sofa": 1}, "b/b": {"sofa": 1}})

    with pytest.raises(ValueError, match="2 videos cannot be paired with 1"):
        space.shared_objects(videos, videos.iloc[:1])


def test_videos_without_similar_objects_share_no_objects(space: ObjectSpace) -> None:
    sofas = features_from({"a/a": {"sofa": 1}, "a/b": {"sofa": 1}})
    others = features_from({"b/b": {"beagle": 1, "banana": 0}, "b/dark": {"beagle": 0, "banana": 0}})

    assert space.shared_objects(sofas, others) == ["", ""]


def test_the_same_corpus_gives_the_same_bytes(class_embeddings: pd.DataFrame) -> None:
    videos = {"a/a": {"sofa": 0.5, "beagle": 0.25}, "b/b": {"sofa": 0.5}}

    def pickled() -> bytes:
        scores = scores_from(videos, pd.Index(class_embeddings.index))
        space = ObjectSpace(FeatureOptions()).fit(scores, class_embeddings)
        return pickle.dumps((space, space.transform(space.importances(scores))))

    assert pickled() == pickled()
