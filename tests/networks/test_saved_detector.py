import pickle
import shutil

import numpy as np
import pytest

from video_recommender.networks.object_masks import mask_objects
from video_recommender.networks.saved_detector import digest_model, find_model, open_saved_detector, read_label_map

NAMES = {1: "bright", 2: "dark"}


@pytest.fixture(scope="module")
def mask_model(tmp_path_factory):
    """A SavedModel in the format of a Mask R-CNN: a bright object, a dark object, and padding."""
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.brightest = tf.Variable(0.9)

        @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
        def __call__(self, input_tensor):
            brightness = tf.reduce_mean(tf.cast(input_tensor, tf.float32)) / 255
            half = tf.concat([tf.ones([17, 33]), tf.zeros([16, 33])], axis=0)
            return {
                "detection_boxes": tf.constant([[[0.5, 0.5, 1.5, 1.0], [0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]]]),
                "detection_classes": tf.constant([[2.0, 1.0, 1.0]]),
                "detection_scores": tf.stack([[1 - brightness, brightness * self.brightest, 0.0]]),
                "detection_masks": tf.stack([[half, tf.ones([33, 33]), tf.zeros([33, 33])]]),
                "num_detections": tf.constant([2.0]),
            }

    folder = tmp_path_factory.mktemp("models") / "mask_rcnn"
    model = Model()
    tf.saved_model.save(model, str(folder), signatures=model.__call__)
    return folder


def test_a_model_with_masks_is_opened_by_its_path(mask_model):
    detector = open_saved_detector(mask_model, NAMES)
    image = np.full((60, 80, 3), 204, np.uint8)

    found = detector.detect(image)

    assert found.class_ids.tolist() == [1, 2]
    assert found.scores.tolist() == pytest.approx([0.72, 0.2], abs=0.01)
    assert found.boxes[1].tolist() == pytest.approx([0.5, 0.5, 1.0, 1.0])
    bright, dark = mask_objects(image, found, "boxes")
    assert bright[:30, :40].all()
    assert bright.sum() == 30 * 40
    assert dark.sum() == pytest.approx(30 * 40, abs=40), "the lower half of its box is outside the image"
    assert not dark[:30].any()


def test_a_model_can_be_pickled_and_its_digest_covers_files_and_names(mask_model):
    detector = open_saved_detector(mask_model, NAMES)

    assert pickle.loads(pickle.dumps(detector)) == detector
    assert detector.digest != open_saved_detector(mask_model, {1: "light", 2: "dark"}).digest


def test_classes_missing_in_the_label_map_are_dropped(mask_model):
    found = open_saved_detector(mask_model, {2: "dark"}).detect(np.full((60, 80, 3), 204, np.uint8))

    assert found.class_ids.tolist() == [2]


def test_a_model_with_other_outputs_is_rejected(tmp_path):
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
        def __call__(self, image):
            return {"probabilities": tf.cast(image, tf.float32)}

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "classifier"), signatures=model.__call__)

    with pytest.raises(ValueError, match="has no output detection_boxes, detection_classes, detection_scores"):
        open_saved_detector(tmp_path / "classifier", NAMES)


def test_a_file_that_is_not_a_graph_is_reported(tmp_path):
    (tmp_path / "graph.pb").write_bytes(b"no graph at all")

    with pytest.raises(ValueError, match=r"graph\.pb cannot process an image \(DecodeError\)"):
        open_saved_detector(tmp_path / "graph.pb", NAMES)


def test_a_frozen_graph_without_an_image_input_is_reported(tmp_path):
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        number = tf.compat.v1.placeholder(tf.float32, name="number")
        for name in ("detection_boxes", "detection_classes", "detection_scores"):
            tf.identity(number, name=name)
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())

    with pytest.raises(ValueError, match=r"graph\.pb cannot process an image \(KeyError\)"):
        open_saved_detector(tmp_path / "graph.pb", NAMES)


def test_a_changed_model_has_another_digest(mask_model, tmp_path):
    shutil.copytree(mask_model, tmp_path / "model")
    before = digest_model(tmp_path / "model")

    next((tmp_path / "model").rglob("variables.data*")).write_bytes(b"other weights")

    assert digest_model(tmp_path / "model") != before == digest_model(mask_model)


@pytest.mark.parametrize("name", ["nowhere", "an_empty_folder"])
def test_a_path_without_a_model_is_reported_with_a_remedy(tmp_path, name):
    (tmp_path / "an_empty_folder").mkdir()

    with pytest.raises(ValueError, match=r"is not a model: specify the folder of a SavedModel.*or a frozen graph file"):
        open_saved_detector(tmp_path / name, NAMES)


def test_a_handle_requires_kagglehub(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "kagglehub", None)

    with pytest.raises(ValueError, match="pip install kagglehub"):
        find_model("tensorflow/mask-rcnn-inception-resnet-v2/tensorFlow2/1024x1024")
    assert find_model(str(tmp_path)) == tmp_path
    assert find_model(str(tmp_path / "saved_model.pb")) == tmp_path


def test_a_label_map_names_the_classes(tmp_path):
    file = tmp_path / "labels.pbtxt"
    lines = [
        "# item { id: 2 name: 'none' }",
        "item {\n  name: '/m/01g317'\n  id: 1\n  display_name: 'person'\n}",
        'item: { id: 3 name: "driver\'s cab" }',
    ]
    file.write_text("\n".join(lines))

    assert read_label_map(file) == {1: "person", 3: "driver's cab"}


@pytest.mark.parametrize(("content", "message"), [("nothing", "contains no class"), (None, "cannot be read")])
def test_an_unreadable_or_empty_label_map_is_reported(tmp_path, content, message):
    file = tmp_path / "labels.pbtxt"
    if content:
        file.write_text(content)

    with pytest.raises(ValueError, match=message):
        read_label_map(file)
