import pickle

import numpy as np
import pytest
from coloured_images import image_of, segmenter_of

from video_recommender.media.frames import EncodedFrames
from video_recommender.media.video import VideoError
from video_recommender.networks.object_segmenter import group_classes, group_embeddings, segment_video


def test_each_object_has_a_row_with_its_box_and_area(folder_of, segmenter):
    table = segment_video(folder_of(image_of(cat=250, dog=200)), segmenter).objects

    assert table["class_name"].tolist() == ["cat", "dog"]
    assert table["object"].tolist() == [1, 2]
    assert table["frame"].tolist() == [1, 1]
    assert table["area_pct"].tolist() == pytest.approx([4, 20], abs=1)
    dog = table.iloc[1]
    assert (dog["x_min"], dog["y_min"], dog["x_max"], dog["y_max"]) == pytest.approx((40, 50, 90, 90), abs=2)
    assert dog["confidence"] == pytest.approx(200 / 255, abs=0.02)


def test_every_nth_frame_is_segmented_and_keeps_its_number(folder_of):
    folder = folder_of(*[image_of(cat=250)] * 7)

    segmented = segment_video(folder, segmenter_of(every_nth_frame=3))

    assert segmented.objects["frame"].tolist() == [1, 4, 7]
    assert segmented.frames == 3


def test_an_uncertain_object_between_two_confident_ones_is_accepted(folder_of):
    folder = folder_of(image_of(cat=250), image_of(cat=100), image_of(cat=250))

    assert segment_video(folder, segmenter_of()).objects["frame"].tolist() == [1, 2, 3]
    assert segment_video(folder, segmenter_of(thresholds={17: 0.9})).objects["frame"].tolist() == [1, 3]


def test_an_uncertain_object_elsewhere_is_rejected(folder_of):
    folder = folder_of(image_of(cat=250), image_of(cat=100, cat_left=70), image_of(cat=250))

    assert segment_video(folder, segmenter_of()).objects["frame"].tolist() == [1, 3]


def test_a_rejected_object_has_no_row_but_counts_in_the_class_scores(folder_of, segmenter):
    segmented = segment_video(folder_of(image_of(dog=100), image_of()), segmenter)

    assert segmented.objects.empty
    scores = segmented.segmentation_scores.set_index("class_name")
    assert scores.loc["dog", "probability"] == pytest.approx(100 / 255 / 2, abs=0.01)
    assert scores.loc["dog", "area_pct"] == pytest.approx(20 / 2, abs=1)


def test_a_video_without_objects_has_empty_tables(folder_of, segmenter):
    segmented = segment_video(folder_of(image_of()), segmenter)

    assert segmented.objects.empty
    assert segmented.segmentation_scores.empty
    assert segmented.frames == 1


def test_a_video_without_frames_is_rejected(segmenter):
    with pytest.raises(VideoError, match="no frames"):
        segment_video(EncodedFrames(()), segmenter)


def test_dropped_classes_are_not_detected(folder_of):
    segmenter = segmenter_of(class_names={18: "animal"}, thresholds={18: 0.5})

    assert segment_video(folder_of(image_of(cat=250, dog=250)), segmenter).objects["class_name"].tolist() == ["animal"]


def test_a_segmenter_can_be_pickled_and_its_digest_covers_all_options(segmenter):
    restored = pickle.loads(pickle.dumps(segmenter))

    assert restored.digest == segmenter.digest
    for change in ({"every_nth_frame": 2}, {"masks": "likely"}, {"thresholds": {17: 0.1}}):
        assert segmenter_of(**change).digest != segmenter.digest


def test_rejected_objects_can_be_removed_from_a_frame(folder_of, segmenter):
    (frame,) = segmenter.segment(folder_of(image_of(cat=250, dog=100)))

    assert frame.class_names.tolist() == ["cat", "dog"]
    assert frame.accepted().class_names.tolist() == ["cat"]
    assert frame.accepted().masks.shape == (1, 100, 100)
    assert np.array_equal(frame.areas_pct[:1], frame.accepted().areas_pct)


def test_an_object_detected_as_two_classes_of_a_group_counts_once(folder_of):
    """A red and green object is detected as a cat and a dog."""
    image = image_of()
    image[20:70, 20:70] = (250, 220, 0)
    grouped = segmenter_of(class_names={17: "pet", 18: "pet"}, thresholds=dict.fromkeys((17, 18), 0.5))

    assert segment_video(folder_of(image, name="a"), segmenter_of()).objects["class_name"].tolist() == ["cat", "dog"]
    assert segment_video(folder_of(image, name="b"), grouped).objects["class_name"].tolist() == ["pet"]


def test_an_uncertain_object_may_continue_another_class_of_its_group(folder_of):
    """The object is detected as a cat, then with low confidence as a dog."""
    cat, dog = image_of(), image_of()
    cat[20:70, 20:70, 0] = 250
    dog[20:70, 20:70, 1] = 100
    grouped = segmenter_of(class_names={17: "pet", 18: "pet"}, thresholds=dict.fromkeys((17, 18), 0.5))

    assert segment_video(folder_of(cat, dog, name="a"), segmenter_of()).objects["frame"].tolist() == [1]
    assert segment_video(folder_of(cat, dog, name="b"), grouped).objects["frame"].tolist() == [1, 2]


CLASSES = {1: "person", 17: "cat", 18: "dog"}


def test_classes_of_a_group_get_its_name():
    assert group_classes(CLASSES, {"pet": ("cat", "dog")}, keep_others=True) == {1: "person", 17: "pet", 18: "pet"}


def test_classes_in_no_group_can_be_dropped():
    assert group_classes(CLASSES, {"pet": ("cat", "dog")}, keep_others=False) == {17: "pet", 18: "pet"}


def test_without_groups_every_class_keeps_its_name():
    assert group_classes(CLASSES, {}, keep_others=True) == CLASSES


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"pet": ("cat", "hamster")}, "contains classes unknown to the model: hamster"),
        ({"pet": ("cat",), "feline": ("cat",)}, "contains cat more than once"),
    ],
)
def test_an_invalid_group_is_reported(groups, message):
    with pytest.raises(ValueError, match=message):
        group_classes(CLASSES, groups, keep_others=True)


def test_the_embedding_of_a_group_is_the_mean_of_its_members():
    rows = np.array([[0, 0, 2], [3, 0, 0], [0, 4, 0]], np.float32)

    embedded = group_embeddings(CLASSES, rows, {1: "person", 17: "pet", 18: "pet"})

    assert embedded.index.tolist() == ["person", "pet"]
    assert embedded.loc["person"].tolist() == [0, 0, 1]
    assert embedded.loc["pet"].tolist() == [0.5, 0.5, 0]


def test_dropped_classes_have_no_embedding():
    assert group_embeddings(CLASSES, np.eye(3, dtype=np.float32), {18: "dog"}).index.tolist() == ["dog"]
