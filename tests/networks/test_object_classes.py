import numpy as np
import pytest

from video_recommender.networks.object_classes import group_classes, group_embeddings

OWN = {1: "person", 17: "cat", 18: "dog"}


def test_classes_of_a_group_get_its_name():
    assert group_classes(OWN, {"pet": ("cat", "dog")}, keep_others=True) == {1: "person", 17: "pet", 18: "pet"}


def test_classes_in_no_group_can_be_dropped():
    assert group_classes(OWN, {"pet": ("cat", "dog")}, keep_others=False) == {17: "pet", 18: "pet"}


def test_without_groups_every_class_keeps_its_name():
    assert group_classes(OWN, {}, keep_others=True) == OWN


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"pet": ("cat", "hamster")}, "contains hamster, which the model does not know"),
        ({"pet": ("cat",), "feline": ("cat",)}, "contains cat more than once"),
    ],
)
def test_an_invalid_group_is_reported(groups, why):
    with pytest.raises(ValueError, match=why):
        group_classes(OWN, groups, keep_others=True)


def test_the_embedding_of_a_group_is_the_mean_of_its_members():
    rows = np.array([[0, 0, 2], [3, 0, 0], [0, 4, 0]], np.float32)

    embedded = group_embeddings(OWN, rows, {1: "person", 17: "pet", 18: "pet"})

    assert embedded.index.tolist() == ["person", "pet"]
    assert embedded.loc["person"].tolist() == [0, 0, 1]
    assert embedded.loc["pet"].tolist() == [0.5, 0.5, 0]


def test_dropped_classes_have_no_embedding():
    assert group_embeddings(OWN, np.eye(3, dtype=np.float32), {18: "dog"}).index.tolist() == ["dog"]
